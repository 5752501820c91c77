"""Python's tracebacks as text: which exception was raised, and the frames that led to it.

The forms are those of the module ``traceback`` (https://docs.python.org/3/library/traceback.html) of all versions of
Python 3: chained exceptions, exception groups, ``SyntaxError``, the marks ``^^^^`` under a line, notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_CHARS = 200_000
"""Of a longer text only the end is read: there is the exception that was raised last."""

_CHAINED = re.compile(
    r"^(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):[ \r]*$",
    re.MULTILINE,
)
_FRAME = re.compile(r'[ \t]*File "([^"\n]*)", line \d+(?:, in (.*))?')
_MARGIN = re.compile(r"[ \t]*[|+](?: |$)")
_PART = re.compile(r"[ \t]*\+(?P<nested>-\+)?-{4,}")
_EXCEPTION = re.compile(r"(?P<type>[^\W\d]\w*(?:\.[^\W\d]\w*|\.<locals>)*)(?::(?: (?P<message>.*))?)?", re.DOTALL)
_INDENTED = ("", " ", "\t")
_HEADER = "Traceback (most recent call last)"
_GROUP = "Exception Group Traceback"


class Frame(NamedTuple):
    """A call: ``file`` as Python names it, ``function`` empty in the frame of a ``SyntaxError``."""

    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Traceback:
    """An exception: its type with its module, empty if the text ends before it; the outermost frame comes first."""

    type: str
    message: str
    frames: tuple[Frame, ...]


def has_traceback(text: str) -> bool:
    """Return whether a text has a traceback of Python somewhere."""
    return _HEADER in text


def parse_traceback(text: str) -> Traceback | None:
    """Return the exception that was raised last; of an exception group, the first exception in it.

    Takes time in proportion to the length of the text. None: the text has neither frames nor an exception.
    """
    part = _last_in_chain(text[-MAX_CHARS:])
    found = _parse(part)
    if _GROUP in part:
        inner = _parse(_last_in_chain(_first_in_group(part)))
        if inner is not None and inner.type:
            outer = found.frames if found is not None else ()
            return Traceback(inner.type, inner.message, (*outer, *inner.frames))
    return found


def _last_in_chain(text: str) -> str:
    end = 0
    for match in _CHAINED.finditer(text):
        end = match.end()
    return text[end:]


def _first_in_group(text: str) -> str:
    """Return the text of the first exception of a group that is not a group, without the margin ``|`` of its lines."""
    lines: list[str] = []
    for line in text.splitlines():
        if part := _PART.match(line):
            if not part["nested"] and lines:
                break
            lines.clear()
        else:
            lines.append(_without_margin(line))
    return "\n".join(lines)


def _without_margin(line: str) -> str:
    margin = _MARGIN.match(line)
    return line[margin.end() :] if margin else line


def _parse(text: str) -> Traceback | None:
    """Return the exception and the frames of a text that is one traceback, perhaps without its start or its end."""
    frames: list[Frame] = []
    lines = text.splitlines()
    header = next((at for at, line in enumerate(lines) if _HEADER in line), None)
    in_group = header is not None and _GROUP in lines[header]
    for at in range(0 if header is None else header + 1, len(lines)):
        if in_group and _PART.match(lines[at]):
            break
        line = _without_margin(lines[at]) if in_group else lines[at]
        if 'File "' in line and (frame := _FRAME.match(line)):
            frames.append(Frame(frame[1], (frame[2] or "").strip()))
        elif line[:1] not in _INDENTED and (frames or header is not None):
            exception = _exception([line, *lines[at + 1 : at + 2]])
            return Traceback(*exception, tuple(frames))
    if frames:
        return Traceback("", "", tuple(frames))
    return _alone(lines)


def _exception(lines: list[str]) -> tuple[str, str]:
    """Return the type and the message of the line after the frames; a message may start in the next line."""
    match = _EXCEPTION.fullmatch(lines[0].rstrip())
    if match is None:
        return "", lines[0].strip()
    message = match["message"] or ""
    if not message and lines[0].rstrip().endswith(":") and len(lines) > 1:
        message = lines[1]
    return match["type"], message.strip()


def _alone(lines: list[str]) -> Traceback | None:
    """Return an exception without frames: ``ValueError: x``."""
    first = next((line for line in lines if line.strip()), "")
    type_name, message = _exception([first])
    if type_name.endswith(("Error", "Exception", "Warning")):
        return Traceback(type_name, message, ())
    return None
