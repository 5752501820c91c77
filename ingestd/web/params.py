"""Query parameters of the API: untrusted text, validated and converted to what a store takes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from multidict import MultiMapping

from ingestd.event.fields import FieldError
from ingestd.stores.query import check_field

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,9}")
MAX_TEXT = 4096
"""Characters of a cursor, a field or a name."""


class ParameterError(ValueError):
    """A parameter is invalid; the text is one sentence that names it."""


def text(parameters: Mapping[str, str], name: str) -> str:
    """Return a parameter, empty if it is missing."""
    value = parameters.get(name, "")
    if len(value) > MAX_TEXT:
        raise ParameterError(f"{name} has {len(value):,} characters, and at most {MAX_TEXT:,} are allowed; shorten it")
    return value


def texts(parameters: MultiMapping[str], name: str, most: int) -> list[str]:
    """Return the values of a parameter that may be given up to ``most`` times; empty ones are left out."""
    values = [value for value in parameters.getall(name, ()) if value]
    if len(values) > most:
        raise ParameterError(f"{name} is given {len(values)} times, and at most {most} are allowed")
    return [text({name: value}, name) for value in values]


def number(parameters: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    """Return a whole number from ``minimum`` to ``maximum``."""
    value = parameters.get(name, "")
    if not value:
        return default
    if not _NUMBER.fullmatch(value) or not minimum <= int(value) <= maximum:
        raise ParameterError(f"{name} must be a whole number from {minimum:,} to {maximum:,}, not {value[:40]!r}")
    return int(value)


def choice(parameters: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return a parameter that is one of ``choices``; the first of them if it is missing."""
    value = parameters.get(name) or choices[0]
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, not {value[:40]!r}")
    return value


def time(parameters: Mapping[str, str], name: str) -> str | None:
    """Return a moment in UTC as stores take it, ``2026-11-22T10:00:00.000Z``; None if it is missing."""
    value = parameters.get(name, "")
    if not value:
        return None
    value = value.replace(" ", "+")  # a + that was not percent-encoded
    if match := _TIME.fullmatch(value):
        try:
            # Python 3.11 parses at most 6 digits of a fraction, so the fraction is kept as it is
            moment = datetime.datetime.fromisoformat(value[:19] + match[2].replace("Z", "+00:00"))
            moment = moment.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            pass
        else:
            return f"{moment.replace(tzinfo=None).isoformat()}{match[1] or ''}Z"
    raise ParameterError(f"{name} must be a time such as 2026-11-22T10:00:00Z, not {value[:40]!r}")


def zone(parameters: Mapping[str, str]) -> str:
    """Return the name of a time zone that exists, ``Asia/Seoul``; UTC if it is missing."""
    name = parameters.get("zone") or "UTC"
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, LookupError):
        raise ParameterError(f"zone must be a time zone such as Asia/Seoul, not {name[:40]!r}") from None


def field(parameters: Mapping[str, str], default: str = "") -> str:
    """Return the name of a field: ``name``, ``[a][b]`` or ``a.b``."""
    name = text(parameters, "field") or default
    if not name:
        raise ParameterError("field is missing")
    try:
        check_field(name)
    except FieldError as error:
        raise ParameterError(f"field: {error}") from None
    return name
