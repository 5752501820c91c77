"""Sizes, durations, addresses and other values as people write them: ``64MiB``, ``30s``, ``127.0.0.1:9600``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)")

_BYTES = {"": 1, "b": 1} | {
    unit: factor
    for power, letter in enumerate("kmgt", start=1)
    for unit, factor in ((letter, 1024**power), (f"{letter}ib", 1024**power), (f"{letter}b", 1000**power))
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s: ``1 event``, ``2,000 events``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def parse_size(text: str) -> int:
    """Return the bytes in ``text``: ``4096``, ``64MiB`` or ``64M`` (powers of 1024), ``64MB`` (powers of 1000).

    Raises:
        ValueError: It is not a size.
    """
    return int(_amount(text, _BYTES, "a size such as 4096, 512KiB or 64MiB"))


def parse_duration(text: str) -> float:
    """Return the seconds in ``text``: ``30``, ``1.5s``, ``200ms``, ``15m``, ``2h``, ``7d``, ``4w``.

    Raises:
        ValueError: It is not a duration.
    """
    return _amount(text, _SECONDS, "a duration such as 200ms, 30s, 15m or 2d")


def parse_address(text: str) -> Address:
    """Return the host and port of ``HOST:PORT``; an IPv6 host is in brackets.

    Raises:
        ValueError: It is not an address.
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    whole = colon and host and (bracketed or ":" not in host)
    if not whole or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT such as 127.0.0.1:9600, found {text!r}")
    return Address(host, int(port))


def format_size(size: int) -> str:
    """Return ``size`` bytes in the largest unit without a fraction: ``64MiB``, ``1500B``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _BYTES[unit.lower()]
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def round_size(size: int) -> str:
    """Return ``size`` bytes, rounded: ``812 B``, ``1.5 MB`` (powers of 1000)."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.1f} {units[0]}"


def format_duration(seconds: float) -> str:
    """Return ``seconds`` in the largest unit without a fraction: ``2d``, ``90s``, ``200ms``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    millis = seconds * 1000
    return f"{seconds:.12g}s" if seconds == int(seconds) or millis != int(millis) else f"{int(millis)}ms"


def _amount(text: str, units: dict[str, int] | dict[str, float], expected: str) -> float:
    match = _AMOUNT.fullmatch(text.strip())
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected {expected}, found {text!r}")
    return float(match[1]) * factor


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: its name, how it is parsed, and how it is written.

    ``parse`` takes text, or a value of TOML, and raises ValueError with what was expected.
    """

    name: str
    parse: Callable[[Any], Any]
    show: Callable[[Any], str] = str


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {_toml(value)}")
    return value


def _url(value: Any) -> str:
    url = _text(value).rstrip("/")
    if url and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError(f"expected a URL such as http://127.0.0.1:9200, found {mask(url)!r}")
    return url


def _path(value: Any) -> Path:
    if not _text(value):
        raise ValueError("expected a path, found nothing")
    if "\0" in value:
        raise ValueError(f"expected a path, found {value!r}, which has a NUL")
    return Path(value).expanduser()


def _address(value: Any) -> Address | None:
    return None if _text(value) == "off" else parse_address(value)


def _measure(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a parser of amounts, which TOML may also have as plain numbers."""

    def read(value: Any) -> Any:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain and not isinstance(value, str):
            raise ValueError(f"expected a number or text with a unit, found {_toml(value)}")
        return parse(str(value))

    return read


def _yes_no(raw: Any) -> bool:
    words = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    try:
        return words[str(raw).lower()]
    except KeyError:
        raise ValueError(f"expected yes or no, found {raw!r}") from None


def _count(raw: Any) -> int:
    if isinstance(raw, bool) or not re.fullmatch(r"[0-9]{1,4}", str(raw)):
        raise ValueError(f"expected a whole number, 0 to 9999, found {raw!r}")
    return int(raw)


def _port(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value)) or int(value) > 65535:
        raise ValueError(f"expected a port, 0 to 65535, found {_toml(value)}")
    return int(value)


def _zone(value: Any) -> str:
    name = _text(value)
    try:
        return ZoneInfo(name).key if name else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone such as Asia/Seoul, found {name!r}") from None


def choice(*words: str) -> Kind:
    """Return the kind of a value that is one of ``words``."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"expected one of {', '.join(words)}, found {_toml(value)}")
        return str(value)

    return Kind(" | ".join(words), read)


def mask(url: str) -> str:
    """Return ``url`` with its password, if any, replaced by ``***``."""
    return re.sub(r"([^/@:]*):[^/@]*@", r"\1:***@", url)


def _toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


TEXT = Kind("text", _text)
URL = Kind("URL", _url, mask)
PATH = Kind("path", _path)
PORT = Kind("port", _port)
COUNT = Kind("number", _count)
ZONE = Kind("time zone", _zone)
YES_NO = Kind("yes | no", _yes_no, lambda value: "yes" if value else "no")
ADDRESS = Kind("HOST:PORT or off", _address, lambda value: "off" if value is None else str(value))
SIZE = Kind("size", _measure(parse_size), format_size)
DURATION = Kind("duration", _measure(parse_duration), format_duration)


def _with_unit(kind: Kind, least: float, example: str) -> Kind:
    """Return a kind whose amounts need a unit: a plain number below ``least`` that is not 0 has forgotten it."""

    def read(value: Any) -> Any:
        amount = kind.parse(value)
        if 0 < amount < least and not re.search("[A-Za-z]", str(value)):
            raise ValueError(f"expected {example}, found {_toml(value)}")
        return amount

    return Kind(kind.name, read, kind.show)


AGE = _with_unit(DURATION, _SECONDS["d"], "a duration with its unit, such as 30d")
"""How long logs stay: days. 30 would be 30 seconds."""

SPACE = _with_unit(SIZE, _BYTES["mib"], "a size with its unit, such as 200GB")
"""How much space logs take."""
