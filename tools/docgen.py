"""Writes the reference pages in ``docs/`` from the code: plugins, metrics, settings, commands.

python -m tools.docgen            write the pages
python -m tools.docgen --check    say which differ from the code; exit 1 if any does
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ingestd import metrics
from ingestd.cli.main import main as ingestd_command
from ingestd.compiler.common import FilterCommon, InputCommon, OutputCommon
from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template
from ingestd.plugins.registry import PluginSpec, Touch, load_all, option_name
from ingestd.settings import SETTINGS

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 100
"""Columns of help texts: the terminal that makes the page must not show in it."""

_NOTE = "<!-- Made from the code by `make docs`; do not edit. -->"
_TYPES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    FieldRef: "field reference",
    Template: "text with `%{field}`",
    Any: "anything",
}


def plugins() -> Iterator[str]:
    """Yield the lines of docs/plugins.md."""
    yield from (_NOTE, "# Plugins", "")
    yield "Inputs, codecs, filters and outputs of the config language, with the options of Logstash's plugins of"
    yield "the same name. *Touches* says which fields a plugin reads, sets and removes with its default options:"
    yield "only the fields that a pipeline touches are decoded (`ingestd explain FILE` shows it for a config)."
    specs = load_all()
    for kind in ("input", "codec", "filter", "output"):
        yield from ("", f"## {kind.capitalize()}s")
        for spec in specs:
            if spec.kind == kind:
                yield from _plugin(spec)
        common = {"input": InputCommon, "filter": FilterCommon, "output": OutputCommon}.get(kind)
        if common:
            yield from ("", f"### Options of every {kind}", "", *_options(common))


def _plugin(spec: PluginSpec) -> Iterator[str]:
    yield from ("", f"### {spec.kind} {spec.name}", "", _prose(sys.modules[spec.build.__module__].__doc__ or ""))
    if rows := _options(spec.options):
        yield from ("", *rows)
    facts = []
    if spec.kind == "filter":
        facts = [f"Touches: {_touches(spec)}.", f"Tag after a failure: `{spec.failure_tag}`."]
    if spec.codec:
        facts.append(f"Codec, if none is given: `{spec.codec}`.")
    if facts:
        yield from ("", " ".join(facts))


def _touches(spec: PluginSpec) -> str:
    if any(_is_required(item) for item in dataclasses.fields(spec.options)):
        return "what its options name"
    touch: Touch = spec.touches(spec.options())
    if touch.unknown:
        return f"all fields ({touch.unknown})"
    parts = [("reads", touch.reads), ("sets", touch.sets), ("removes", touch.removes)]
    return "; ".join(f"{verb} {_names(fields)}" for verb, fields in parts if fields) or "nothing"


def _names(fields: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(fields))


def _options(owner: type) -> list[str]:
    hints = typing.get_type_hints(owner)
    rows = [
        (f"`{option_name(item)}`", _type(hints[item.name]), _default(item), _doc(item))
        for item in dataclasses.fields(owner)
    ]
    return _table(("option", "type", "default", "meaning"), rows) if rows else []


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _default(item: dataclasses.Field[Any]) -> str:
    if _is_required(item):
        return "*required*"
    value = item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
    shown = "" if value is None or value in ([], {}) else _config(value)
    return f"`{shown}`" if shown not in ("", '""') else ""


def _config(value: Any) -> str:
    """Return a value as it stands in a config."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, FieldRef | Template):
        return f'"{value.text}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_config, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_config(key)} => {_config(item)}" for key, item in value.items()) + " }"
    return f'"{_visible(value)}"' if isinstance(value, str) else str(value)


def _visible(text: str) -> str:
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _doc(item: dataclasses.Field[Any]) -> str:
    doc: str = item.metadata["doc"]
    # A dict, not a list: a line feed and its escape look the same here.
    choices = dict.fromkeys(_visible(one) for one in item.metadata["choices"] if one)
    return f"{doc} One of {_names_in_order(choices)}." if choices else doc


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if type(None) in arguments:
        return _type(next(one for one in arguments if one is not type(None)))
    if origin is list:
        return f"array of {_type(arguments[0])}"
    if origin is dict:
        return f"hash of {_type(arguments[1])}"
    return _TYPES.get(hint) or str(getattr(hint, "__name__", hint))


def metrics_page() -> Iterator[str]:
    """Yield the lines of docs/metrics.md."""
    yield from (_NOTE, "# Metrics", "")
    yield "Served at `/metrics` in Prometheus's text format, together with `process_*` (memory, CPU, open files)."
    yield f"Each metric keeps {metrics.MAX_SERIES} label combinations; further ones are counted together as `other`."
    yield ""
    rows = [(f"`{m.name}`", m.kind, _names_in_order(m.labels), m.doc) for m in metrics.REGISTRY.values()]
    yield from _table(("metric", "kind", "labels", "meaning"), rows)


def _names_in_order(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def settings_page() -> Iterator[str]:
    """Yield the lines of docs/settings.md."""
    yield from (_NOTE, "# Settings", "")
    yield "Each setting can be given in a TOML file, as an environment variable and as a flag; a later one of these"
    yield "wins. The file is `--settings FILE` or `INGESTD_SETTINGS`, else `ingestd.toml` in the working folder,"
    yield "else `/etc/ingestd/ingestd.toml`. `ingestd config settings` shows the values in force and where each"
    yield "came from. Unknown names are errors. A name with a dot stands in a table of the file:"
    yield from ("", "```toml", "port = 5959", "", "[dead_letters]", 'max_bytes = "2GiB"', "```", "")
    yield "Sizes: `4096`, `512KiB`, `64MiB` (`64M` is the same, `64MB` is 64,000,000). Durations: `200ms`, `30s`,"
    yield "`15m`, `2h`, `7d`. An empty variable counts as not set."
    yield ""
    rows = [
        (f"`{s.name}`", f"`{s.variable}`<br>`{s.flag}`", s.kind.name, _quoted(s.shown_default), s.doc)
        for s in SETTINGS.values()
    ]
    yield from _table(("setting", "variable, flag", "type", "default", "meaning"), rows)


def _quoted(text: str) -> str:
    return f"`{text}`" if text else ""


def commands_page() -> Iterator[str]:
    """Yield the lines of docs/cli.md."""
    yield from (_NOTE, "# Commands", "")
    yield "Exit codes: 0 done; 1 the config or the data is wrong, as stderr says; 2 wrong usage or settings."
    yield from _command(ingestd_command, "ingestd", None)


def _command(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, **settings)
    help_text = command.get_help(context)
    yield from ("", f"## {path}", "", "```text", *(line.rstrip() for line in help_text.split("\n")), "```")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _command(child, f"{path} {name}", context)


def _prose(docstring: str) -> str:
    """Return a docstring as Markdown: its double backquotes are single ones there."""
    return inspect.cleandoc(docstring).replace("``", "`").strip()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in lines]


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "plugins.md": plugins,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "cli.md": commands_page,
}


def drift() -> list[str]:
    """Return a diff for each page that is not what the code makes of it."""
    found = []
    for name, lines in PAGES.items():
        path = DOCS / name
        old = path.read_text("utf-8").splitlines() if path.exists() else []
        diff = list(difflib.unified_diff(old, "\n".join(lines()).splitlines(), f"docs/{name}", "the code", lineterm=""))
        if diff:
            found.append("\n".join(diff))
    return found


def main() -> int:
    """Write or check all pages; return the exit code."""
    parser = argparse.ArgumentParser(description="Reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not up to date")
    if parser.parse_args().check:
        stale = drift()
        if stale:
            sys.stderr.write("\n".join([*stale, "docs/ is not up to date: run 'make docs'", ""]))
        return 1 if stale else 0
    for name, lines in PAGES.items():
        (DOCS / name).write_text("\n".join(lines()) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
