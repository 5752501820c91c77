"""Loads settings from a TOML file, the environment and flags."""

from __future__ import annotations

import dataclasses
import errno
import functools
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ingestd.display import point_at
from ingestd.settings.alerts import NAME
from ingestd.settings.declared import NAMED_TABLES, PREFIX, SETTINGS, Setting, Settings, named_settings
from ingestd.settings.stored_zone import read_stored_zone, stored_zone_path
from ingestd.suggest import did_you_mean, settings_meant

FOREIGN_PREFIXES = ("INGESTD_KEEPER_", "INGESTD_TEST_", "INGESTD_BENCH_", "INGESTD_REQUIRE_")
"""Prefixes of variables that are not settings: those of the tests, the benchmarks and the daemon itself."""

_MAX_BYTES = 10_000_000
"""Of a settings file: one without end, such as a device, must not fill memory."""

SERVICE_DATA_DIR = Path("/var/lib/ingestd")
"""Data folder of the systemd service, packaging/ingestd.service."""

_KUBERNETES = re.compile(r"INGESTD_(SERVICE_(HOST|PORT.*)|PORT_\d+_(TCP|UDP).*)")
"""Variables that Kubernetes and Docker links set for a service called ``ingestd``."""


class SettingsError(ValueError):
    """The settings are wrong. ``problems``: every error, as ``position: error: message`` and a help line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def find_settings_file(option: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the settings file: the one that ``--settings`` or INGESTD_SETTINGS names, else the first that exists of
    ``ingestd.toml`` in the working folder and ``/etc/ingestd/ingestd.toml``; None if neither does.
    """
    if named := option or environ.get("INGESTD_SETTINGS"):
        return Path(named)
    usual = (Path("ingestd.toml"), Path("/etc/ingestd/ingestd.toml"))
    return next((path for path in usual if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    """Return whether a file is there for us: as with ``sudo -u`` in root's home, the folder may be closed to us."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def resolve_data_dir(option: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data folder: ``--data-dir``, INGESTD_DATA_DIR, systemd's STATE_DIRECTORY, else the usual one.

    That is the service's for root and for the user that owns it, and for others if they have none of their own, which
    is ``ingestd`` in XDG_STATE_HOME or ``~/.local/state``. It need not exist.
    """
    named = option or environ.get("INGESTD_DATA_DIR")
    return Path(named).expanduser() if named else _usual_data_dir(environ)[0]


def _usual_data_dir(environ: Mapping[str, str]) -> tuple[Path, str]:
    if state := environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0]), "STATE_DIRECTORY"  # systemd separates several by colons
    if state := environ.get("XDG_STATE_HOME"):
        own, origin = Path(state) / "ingestd", "XDG_STATE_HOME"
    else:
        own, origin = Path.home() / ".local" / "state" / "ingestd", "default"
    return (SERVICE_DATA_DIR, "default") if _uses_service(own) else (own, origin)


def _uses_service(own: Path) -> bool:
    """Return whether a command works on the data of the systemd service, if none is named."""
    try:
        owner = SERVICE_DATA_DIR.stat().st_uid
    except OSError:  # there is no such service
        return False
    return os.geteuid() in (0, owner) or not os.access(own, os.F_OK)


def _from_credentials(environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    """Yield the settings that systemd passes as files: LoadCredential= in systemd.exec(5)."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for name in SETTINGS if folder else ():
        file = Path(str(folder), name.removesuffix("_file"))
        if name.endswith("_file") and os.access(file, os.R_OK):  # ExecReload= may not read them
            yield name, str(file), "CREDENTIALS_DIRECTORY"


def load_settings(
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, str | None] = MappingProxyType({}),
    defaults: Iterable[tuple[str, Any, str]] = (),
) -> Settings:
    """Return the effective settings; ``index_timezone`` is that of the data folder if it is not set.

    Args:
        file: A TOML file, see ``find_settings_file``. Paths in it are relative to its folder.
        environ: The environment; only variables that start with ``INGESTD_``, and systemd's, are read.
        flags: What the user wrote for each dotted name; None if the flag was not given.
        defaults: Dotted names, values and their origins that count less than all others.

    Raises:
        SettingsError: A name is unknown, a value is wrong, or the file cannot be read; it has every error.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, "default")
    values["data_dir"], origins["data_dir"] = _usual_data_dir(environ)
    text = _read(file, problems)
    content = _parse(file, text, problems)
    tables = _named_in(file, text, content, problems)
    origins |= tables
    known = {**SETTINGS, **{name: found for table in tables for name, found in named_settings(table).items()}}
    written = _from_file(file, text, content, known, problems)
    others = _from_credentials(environ), written, _from_environ(environ, known, problems)
    for name, raw, origin in itertools.chain(defaults, *others, _from_flags(flags)):
        try:
            value = known[name].kind.parse(raw)
        except ValueError as error:
            problems.append(f"{origin}: error: {name}: {error}\n  help: {known[name].doc}")
            continue
        if isinstance(value, Path) and file and origin.startswith(f"{file}:"):
            value = file.parent / value
        values[name], origins[name] = value, origin
    if problems:
        raise SettingsError(problems)
    if origins["index_timezone"] == "default":
        _use_stored_zone(values, origins)
    settings: Settings = _build(Settings, values, tables, origins=MappingProxyType(origins))
    return settings


def _use_stored_zone(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Let the zone that the data folder remembers count where none is set."""
    found = read_stored_zone(values["data_dir"])
    if found is not None and found.is_set:
        values["index_timezone"] = found.zone
        origins["index_timezone"] = str(stored_zone_path(values["data_dir"]))


def reloaded(running: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Return what a daemon that runs with some settings has after a reload: ``new``, where a reload is enough.

    The list has the names of the other settings that differ: they take effect at a restart or an upgrade.
    """
    chosen = {name: new if setting.reload else running for name, setting in SETTINGS.items()}
    values = {name: settings.get(name) for name, settings in chosen.items()}
    named = {name: origin for name, origin in new.origins.items() if name not in SETTINGS}  # all of them are reloaded
    origins = named | {name: settings.origins.get(name, "default") for name, settings in chosen.items()}
    settings: Settings = _build(Settings, values, origins=MappingProxyType(origins))
    settings = dataclasses.replace(settings, alerts=new.alerts)
    return settings, [name for name in SETTINGS if settings.get(name) != new.get(name)]


def _build(owner: Any, values: Mapping[str, Any], named: Iterable[str] = (), prefix: str = "", **extra: Any) -> Any:
    """Return an ``owner`` with these values by dotted name, and the ``named`` tables."""
    arguments = dict(extra)
    for item in dataclasses.fields(owner):
        name = prefix + item.name
        if "table" in item.metadata:
            arguments[item.name] = _build(item.metadata["table"], values, named, f"{name}.")
        elif "named" in item.metadata:
            chosen = [table for table in named if table.startswith(f"{name}.")]
            build = functools.partial(_build, item.metadata["named"], values, named)
            arguments[item.name] = {table.removeprefix(f"{name}."): build(f"{table}.") for table in chosen}
        elif name in values:
            arguments[item.name] = values[name]
    return owner(**arguments)


def _from_flags(flags: Mapping[str, str | None]) -> Iterator[tuple[str, Any, str]]:
    return ((name, raw, SETTINGS[name].flag) for name, raw in flags.items() if raw is not None)


def _from_environ(
    environ: Mapping[str, str], known: Mapping[str, Setting], problems: list[str]
) -> Iterator[tuple[str, Any, str]]:
    by_variable = {setting.variable: setting.name for setting in known.values()}
    for variable, raw in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == "INGESTD_SETTINGS" or not raw:
            continue
        if variable in by_variable:
            if not (variable == "INGESTD_PORT" and raw.startswith("tcp://")):  # set by Kubernetes
                yield by_variable[variable], raw, variable
        elif not variable.startswith(FOREIGN_PREFIXES) and not _KUBERNETES.fullmatch(variable):
            problems.append(f"{variable}: error: unknown setting\n  help: {_variable_hint(variable, known)}")


def _read(file: Path | None, problems: list[str]) -> str:
    """Return the text of the settings file, empty if there is none."""
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {_MAX_BYTES:,} bytes")
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problems.append(f"{file}: error: the settings file cannot be read: {reason}")
        return ""


def _parse(file: Path | None, text: str, problems: list[str]) -> dict[str, Any]:
    if file is None or not text:
        return {}
    import tomllib  # noqa: PLC0415 -- most commands find no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(_toml_problem(file, text, str(error)))
        return {}


def _named_in(file: Path | None, text: str, content: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    """Return the tables in the file whose names were chosen, such as ``alerts.rules.errors``, and where they are."""
    found: dict[str, str] = {}
    lines = _lines_of_keys(text) if content else {}
    for parent in NAMED_TABLES:
        owner: Any = content
        for part in parent.split("."):
            owner = owner.get(part, {}) if isinstance(owner, dict) else {}
        for name, value in owner.items() if isinstance(owner, dict) else ():
            table = f"{parent}.{name}"
            origin = f"{file}:{_line(lines, table)}"
            if not NAME.fullmatch(name):
                problems.append(f"{origin}: error: {name!r} is not a name: use letters, digits, _ and -, at most 64")
            elif not isinstance(value, dict):
                problems.append(f"{origin}: error: expected a table [{parent}.NAME]")
            else:
                found[table] = origin
    return found


def _from_file(
    file: Path | None, text: str, content: Mapping[str, Any], known: Mapping[str, Setting], problems: list[str]
) -> Iterator[tuple[str, Any, str]]:
    lines = _lines_of_keys(text) if content else {}
    tables = {table for name in known for table in _prefixes(name.rpartition(".")[0])}
    for name, raw in _flatten(content, tables | {*NAMED_TABLES}):
        if name.rpartition(".")[0] in NAMED_TABLES:  # neither a table nor a good name: see _named_in
            continue
        line = _line(lines, name)
        if name in known:
            yield name, raw, f"{file}:{line}"
        else:
            problems.append(f"{file}:{line}: error: {_unknown(name, raw, known, tables)}")


def _unknown(name: str, raw: Any, known: Mapping[str, Setting], tables: set[str]) -> str:
    """Return what is wrong with a key that is not a setting, and what to write instead."""
    if name in NAMED_TABLES:
        return f"expected a table [{name}.NAME]"
    what = f"expected a table [{name}]" if name in tables else f"unknown setting {name!r}"
    if isinstance(raw, dict) and (table := did_you_mean(name, sorted(tables | {*NAMED_TABLES}))):
        return f"{what}\n  help: did you mean [{table}{'.NAME' if table in NAMED_TABLES else ''}]?"
    return f"{what}\n  help: {_setting_hint(name, known)}"


def _setting_hint(name: str, known: Mapping[str, Setting]) -> str:
    """Return what to write instead of an unknown setting: one of its table, of a table around it, or of another."""
    parent, key = _split(name)
    beside = {_split(other)[1]: found for other, found in known.items() if _split(other)[0] == parent}
    meant = [
        f"{parent}.{other}".removeprefix(".")
        for other in settings_meant(key, {other: found.also for other, found in beside.items()})
    ]
    meant += [around for table in _prefixes(parent) if table != parent and (around := f"{table}.{key}") in known]
    if meant or (meant := [other for other in SETTINGS if _split(other)[1] == key]):
        return f"did you mean {' or '.join(meant)}?"
    return f"known in [{parent}] are {', '.join(beside)}" if parent and beside else _hint(name, SETTINGS)


def _split(name: str) -> tuple[str, str]:
    """Return the table of a setting, empty if it has none, and its key there."""
    parent, _, key = name.rpartition(".")
    return parent, key


def _variable_hint(variable: str, known: Mapping[str, Setting]) -> str:
    """Return what to write instead of an unknown variable: one of a table whose variables start like it."""
    variables = {found.variable: found for found in known.values()}
    starts = {found.variable: found.variable.removesuffix(_split(name)[1].upper()) for name, found in known.items()}
    start = max((start for start in starts.values() if variable.startswith(start)), key=len, default=PREFIX)
    beside = {name.removeprefix(start): found for name, found in variables.items() if starts[name] == start}
    meant = settings_meant(variable.removeprefix(start), {name: found.also for name, found in beside.items()})
    if meant:
        return f"did you mean {' or '.join(start + name for name in meant)}?"
    return _hint(variable, [*variables, "INGESTD_SETTINGS"], PREFIX)


def _line(lines: Mapping[str, int], name: str) -> int:
    return next((lines[path] for path in _prefixes(name) if path in lines), 1)


def _toml_problem(file: Path, text: str, error: str) -> str:
    """Return an error of ``tomllib`` with the line and a caret; in Python 3.11 only its text has the position."""
    lines = text.split("\n")
    position = re.search(r" \(at line (\d+), column (\d+)\)$", error)  # missing at the end of the file
    number, column = map(int, position.groups()) if position else (len(lines), len(lines[-1]) + 1)
    message = error[: position.start()] if position else error.removesuffix(" (at end of document)")
    line = lines[number - 1].rstrip("\r")
    head = f"{file}:{number}:{column}: error: {message}"
    return point_at(head, line, column, 1, _quotes_hint(line), number)


def _quotes_hint(line: str) -> str:
    """Return how to write a line whose value lacks its quotes, such as ``zone = Asia/Seoul``; empty for others."""
    found = re.fullmatch(r"(\s*[\w.-]+\s*=\s*)([^\s\"'\[{#][^\"'#]*?)\s*(#.*)?", line)
    return f'write text in quotes: {found[1].strip()} "{found[2]}"' if found else ""


def _flatten(content: Mapping[str, Any], tables: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = prefix + key
        if isinstance(value, dict) and name in tables:
            yield from _flatten(value, tables, f"{name}.")
        else:
            yield name, value


def _prefixes(name: str) -> Iterator[str]:
    """Yield ``a.b.c``, ``a.b``, ``a``: a key of an inline table is on the line of the table."""
    parts = name.split(".")
    return (".".join(parts[:size]) for size in range(len(parts), 0, -1))


def _lines_of_keys(text: str) -> dict[str, int]:
    """Return the line, from 1, of every key and table header, which ``tomllib`` does not report."""
    found: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            name = _bare(header[1])
            prefix = name + "."
        elif assignment := re.match(r"\s*([^=#]+?)\s*=", line):
            name = prefix + _bare(assignment[1])
        else:
            continue
        found.setdefault(name, number)
    return found


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return what to write instead of ``name``; ``prefix``, which all names have, is not compared."""
    words = list(known)
    near = did_you_mean(name.removeprefix(prefix), [word.removeprefix(prefix) for word in words])
    return f"did you mean {prefix}{near}?" if near else f"known are {', '.join(words)}"
