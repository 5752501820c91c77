"""``%{field}`` and ``%{+YYYY.MM.dd}`` in option values.

Follows https://www.elastic.co/docs/reference/logstash/event-dependent-configuration#sprintf. The
placeholder of a missing field stays as it is; an array is joined with commas; a hash becomes compact JSON; a float
is written as in Java (``1.0E7``); an unclosed ``%{`` is plain text. ``%{{TIME_NOW}}`` is
the time of receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, parse_path
from ingestd.event.jsontext import dumps
from ingestd.event.table import Rows, Table
from ingestd.event.timestamp import epoch_seconds

Render = Callable[[Event], str]

TIME_NOW = FieldRef("[@metadata][TIME_NOW]")
"""Where ``%{{TIME_NOW}}`` is found: when the event was received, so that it is the same if it is processed again.

The pipeline sets it in every event if a template of its config reads it.
"""

_PREFIX_LENGTHS = ((10, "GCYyuxwWeEDMLdqQFc+{} ./:,_-"), (13, "HkKhaB"), (16, "m"), (19, "s%"))
"""How many characters of a timestamp the letters of a date pattern need; other letters need all of them."""


def to_text(value: Any) -> str:
    """Return a value as Logstash interpolates it into a string."""
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
    """Return a float as Java writes it: with an exponent below 0.001 and from ten million up."""
    if not value or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    return f"{'-' * sign}{shown[0]}.{shown[1:] or '0'}E{int(exponent) + len(digits) - 1}"


def _field(text: str, inner: str) -> tuple[Render, str]:
    ref = FieldRef(inner)

    top = ref.top if len(ref.path) == 1 else None

    def render(event: Event) -> str:
        value = ref.get(event) if top is None else event.get(top)
        if type(value) is str:
            return value
        return text if value is None else to_text(value)

    return render, ref.text


def _date(inner: str) -> Render:
    """Return a function that renders a date placeholder from ``@timestamp``; empty without one, as in Logstash."""
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


def misread(text: str) -> list[str]:
    """Return the placeholders of a text that look like references to nested fields and are none: they stay text."""
    wrong = []
    for part in split_template(text):
        inner = part[2:-1] if part.startswith("%{") and part.endswith("}") else ""
        if inner.startswith(("+", "{")) or not ("[" in inner or "]" in inner):
            continue
        try:
            parse_path(inner)
        except FieldError:
            wrong.append(part)
    return wrong


class Template:
    """A string with placeholders. ``render(event)`` fills them; ``reads`` names the fields used.

    ``static`` is the text itself if it has no placeholders, else ``None``. ``prefix_length``: how many
    characters of ``@timestamp`` the date placeholders need (10: the day), None: all of them.

    Raises:
        FieldError: A placeholder is not a valid field reference.
        ValueError: A date pattern is not valid.
    """

    __slots__ = ("prefix_length", "reads", "render", "static", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        reads: set[str] = set()
        parts: list[str | Render] = []
        self.prefix_length: int | None = 10
        for part in split_template(text):
            if not (part.startswith("%{") and part.endswith("}")):
                parts.append(part)
                continue
            inner = part[2:-1]
            if inner == "{TIME_NOW}":
                parts.append(_field(part, TIME_NOW.text)[0])
                reads.add(TIME_NOW.text)
                self.prefix_length = None
            elif inner.startswith("+") or (inner.startswith("{") and inner.endswith("}")):
                parts.append(_date(inner))
                reads.add("@timestamp")
                self.prefix_length = _prefix_length(inner, self.prefix_length)
            else:
                try:
                    render, name = _field(part, inner)
                except FieldError:
                    parts.append(part)  # ``%{}`` and the like are text
                    continue
                parts.append(render)
                reads.add(name)
                self.prefix_length = None
        self.reads = frozenset(reads)
        self.static = "".join(parts) if all(isinstance(part, str) for part in parts) else None  # type: ignore[arg-type]
        self.render: Render = _join(parts)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def render_rows(template: Template, table: Table, rows: Rows) -> list[str]:
    """Return the texts of a template for some events."""
    if template.static is not None:
        return [template.static] * len(rows)
    tops = sorted({FieldRef(name).top for name in template.reads})
    return [*map(template.render, table.fields(rows, tops))]


def _prefix_length(pattern: str, so_far: int | None) -> int | None:
    """Return how many characters of a timestamp ``pattern`` and the patterns before it need."""
    needed = [next((length for length, letters in _PREFIX_LENGTHS if letter in letters), None) for letter in pattern]
    if so_far is None or None in needed:
        return None
    return max(so_far, *(length for length in needed if length is not None))


def _join(parts: list[str | Render]) -> Render:
    if all(isinstance(part, str) for part in parts):
        static = "".join(part for part in parts if isinstance(part, str))
        return lambda event: static
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]

    def render(event: Event) -> str:
        return "".join([part if isinstance(part, str) else part(event) for part in parts])

    return render


def split_template(text: str) -> list[str]:
    """Split ``text`` into plain pieces and placeholders ``%{...}`` / ``%{{...}}``, which end at the first ``}``."""
    pieces: list[str] = []
    position = 0
    while (start := text.find("%{", position)) >= 0 and (end := text.find("}", start)) >= 0:
        if start > position:
            pieces.append(text[position:start])
        java = text.startswith("%{{", start) and text.startswith("}}", end)
        position = end + (2 if java else 1)
        pieces.append(text[start:position])
    if position < len(text):
        pieces.append(text[position:])
    return pieces
