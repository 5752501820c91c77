"""Browser, operating system and device of a user agent, by the patterns of the package ua-parser."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.plugins.filters._ruby import to_i

if TYPE_CHECKING:
    from ua_parser.core import Domain, Matchers, PartialResult

    Parser = Callable[[str, Domain], PartialResult]

Agent = dict[str, str]
"""What is known, by the names in ``AGENT_PARTS``."""

AGENT_PARTS = (
    *("name", "device", "version", "major", "minor", "patch"),
    *("os_name", "os_full", "os_version", "os_major", "os_minor", "os_patch"),
)


@cache
def builtin_parser() -> Parser:
    """Return the parser with the patterns of the package; it takes a tenth of a second, so it is made when needed."""
    from ua_parser.loaders import load_lazy_builtins  # noqa: PLC0415 -- only if a config needs it

    return _parser(load_lazy_builtins())


def file_parser(path: Path) -> Callable[[], Parser]:
    """Return a function that returns the parser with the patterns of a ``regexes.yaml``.

    Raises:
        ValueError: The file cannot be read, or is not of this form.
    """
    import yaml  # noqa: PLC0415 -- only if a config needs it
    from ua_parser.loaders import load_lazy  # noqa: PLC0415

    try:
        loaded = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 -- it is safe
        parts = [loaded.get(f"{kind}_parsers") or [] for kind in ("user_agent", "os", "device")]
        parser = _parser(load_lazy((parts[0], parts[1], parts[2])))
    except OSError as error:
        raise ValueError(f"regexes: {error.strerror}: {path}") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"regexes: {path} is not a regexes.yaml of uap-core: {error!r}") from None
    return lambda: parser


def _parser(matchers: Matchers) -> Parser:
    from ua_parser.regex import Resolver  # noqa: PLC0415 -- see above

    return Resolver(matchers)


def recognise(parser: Parser, text: str) -> Agent:
    """Return what a user agent says; what the patterns do not know is ``Other``."""
    from ua_parser.core import Domain  # noqa: PLC0415 -- see above

    text = text.encode("utf-8", "replace").decode()  # the parser refuses surrogates
    result = parser(text, Domain.ALL).complete().with_defaults()
    browser, system = result.user_agent, result.os
    os_version = _os_version(system)
    found = {
        "name": browser.family,
        "device": result.device.family,
        "major": browser.major,
        "minor": browser.minor,
        "patch": browser.patch,
        "version": _version(browser, text),
        "os_name": system.family,
        "os_major": system.major,
        "os_minor": system.minor,
        "os_patch": system.patch,
        "os_version": os_version,
        "os_full": system.family if os_version is None else f"{system.family} {os_version}",
    }
    return {name: value for name, value in found.items() if value is not None}


def _numbers(found: Any) -> list[str]:
    """Return the parts of a version, up to the first that is missing."""
    parts = (found.major, found.minor, found.patch, found.patch_minor)
    return [*parts[: parts.index(None)]] if None in parts else [*parts]


def _version(browser: Any, text: str) -> str | None:
    """Return the version of the browser: with the fourth number if that is in the text only, as in Logstash."""
    numbers = _numbers(browser)
    version = ".".join(numbers)
    if len(numbers) == 3:
        before, found, after = text.partition(f"{version}.")
        fourth, blank, _ = after.partition(" ")
        if found and blank and version not in before and fourth == str(to_i(fourth)):
            return found + fourth
    return version or None


def _os_version(system: Any) -> str | None:
    """Return the version of the operating system: ``10.15.7``, or ``Vista``, ``XP 2`` if it starts with a name."""
    numbers = _numbers(system)
    if len(numbers) < 2:
        return numbers[0] if numbers else None
    separator = "." if numbers[0] == str(to_i(numbers[0])) else " "
    return numbers[0] + separator + ".".join(numbers[1:])
