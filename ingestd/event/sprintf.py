"""``%{field}`` and ``%{+YYYY.MM.dd}`` in option values.

Follows https://www.elastic.co/docs/reference/logstash/event-dependent-configuration#sprintf. A missing
field leaves its text as it is; an array is joined with commas; a hash becomes compact JSON; a float looks as
in Java (``1.0E7``); an unclosed ``%{`` is plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import epoch_seconds

Render = Callable[[Event], str]

_REACHES = ((10, "GCYyuxwWeEDMLdqQFc+{} ./:,_-"), (13, "HkKhaB"), (16, "m"), (19, "s%"))
"""How far into a timestamp the letters of a date pattern look; all others look at the whole of it."""


def to_text(value: Any) -> str:
    """Return a value as Logstash writes it into a string."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is list:
        return ",".join([to_text(item) for item in value])
    if type(value) is dict:
        return dumps(value).decode()
    return _float_text(value) if type(value) is float else str(value)


def _float_text(value: float) -> str:
    """Return a float as Java writes it: with an exponent below 0.001 and from ten million on."""
    if not value or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    return f"{'-' * sign}{shown[0]}.{shown[1:] or '0'}E{int(exponent) + len(digits) - 1}"


def _field(text: str, inner: str) -> tuple[Render, str]:
    ref = FieldRef(inner)

    def render(event: Event) -> str:
        value = ref.get(event)
        return text if value is None else to_text(value)

    return render, ref.text


def _date(inner: str) -> Render:
    """Return what renders a date placeholder from ``@timestamp``; without one it is empty, as in Logstash."""
    # Imported here, because many configs write no dates and need no calendar.
    from ingestd.event.times.java_print import compile_java_time_print  # noqa: PLC0415
    from ingestd.event.times.joda_print import compile_joda_print  # noqa: PLC0415

    if inner.startswith("{"):
        show = compile_java_time_print(inner[1:-1])
    elif inner == "+%s":
        show = epoch_seconds
    else:
        show = compile_joda_print(inner[1:])

    def render(event: Event) -> str:
        stamp = event.get("@timestamp")
        return show(stamp) if type(stamp) is str else ""

    return render


class Template:
    """A string with placeholders. ``render(event)`` fills them; ``reads`` names the fields used.

    ``static`` is the text itself where there is no placeholder, else ``None``. ``reach``: how many
    characters of ``@timestamp`` the date placeholders look at (10: the day), None: all of them.

    Raises:
        FieldError: A placeholder is no valid field reference.
        ValueError: A date pattern is not valid.
    """

    __slots__ = ("reach", "reads", "render", "static", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        reads: set[str] = set()
        parts: list[str | Render] = []
        self.reach: int | None = 10
        for part in _split(text):
            if not (part.startswith("%{") and part.endswith("}")):
                parts.append(part)
                continue
            inner = part[2:-1]
            if inner.startswith("+") or (inner.startswith("{") and inner.endswith("}")):
                parts.append(_date(inner))
                reads.add("@timestamp")
                self.reach = _reach(inner, self.reach)
            else:
                try:
                    render, name = _field(part, inner)
                except FieldError:
                    parts.append(part)  # ``%{}`` and the like are text
                    continue
                parts.append(render)
                reads.add(name)
                self.reach = None
        self.reads = frozenset(reads)
        self.static = "".join(parts) if all(isinstance(part, str) for part in parts) else None  # type: ignore[arg-type]
        self.render: Render = _join(parts)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def _reach(pattern: str, before: int | None) -> int | None:
    """Return how many characters of a timestamp ``pattern`` and what came before it look at."""
    needed = [next((reach for reach, letters in _REACHES if letter in letters), None) for letter in pattern]
    if before is None or None in needed:
        return None
    return max(before, *(reach for reach in needed if reach is not None))


def _join(parts: list[str | Render]) -> Render:
    if all(isinstance(part, str) for part in parts):
        static = "".join(part for part in parts if isinstance(part, str))
        return lambda event: static
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]

    def render(event: Event) -> str:
        return "".join([part if isinstance(part, str) else part(event) for part in parts])

    return render


def _split(text: str) -> list[str]:
    """Cut ``text`` into plain pieces and whole placeholders ``%{...}`` / ``%{{...}}``; the first brace closes."""
    pieces: list[str] = []
    begin = 0
    while (start := text.find("%{", begin)) >= 0 and (end := text.find("}", start)) >= 0:
        if start > begin:
            pieces.append(text[begin:start])
        java = text.startswith("%{{", start) and text.startswith("}}", end)
        begin = end + (2 if java else 1)
        pieces.append(text[start:begin])
    if begin < len(text):
        pieces.append(text[begin:])
    return pieces
