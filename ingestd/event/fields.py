"""Field references: ``message``, ``[http][path]``, ``[tags][0]``.

Follows https://www.elastic.co/docs/reference/logstash/event-dependent-configuration and the tokenizer
of Logstash 9: a bare name is ``[name]``; ``[[a][b]][c]`` is ``[a][b][c]``; ``a[b]`` is an error;
a number indexes an array, from the end if negative.
"""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]
"""An event: JSON values only. Its containers are never changed in place, but replaced.

Whether a record has changed is decided by the identity of its values, so a filter that
appended to ``event["tags"]`` would lose the tag; ``event["tags"] = [*tags, tag]`` keeps it.
"""


class FieldError(ValueError):
    """A field reference is malformed, or names a field that cannot be set. ``value``: the reference, if it is known."""

    def __init__(self, message: str, value: str = "") -> None:
        super().__init__(message)
        self.value = value


def parse_path(text: str) -> tuple[str, ...]:
    """Return the parts of a field reference.

    Raises:
        FieldError: The brackets do not match, or the reference is empty.
    """
    if "[" not in text and "]" not in text:
        if not text:
            raise FieldError("a field reference must not be empty")
        return (text,)
    path: list[str] = []
    name, depth, named = "", 0, False
    for char in text:
        if char == "[":
            if depth and name:
                raise FieldError(f"invalid field reference {text!r}: '[' inside a name", text)
            depth += 1
            named = False
        elif char == "]":
            if not depth or not (name or named):
                raise FieldError(f"invalid field reference {text!r}: ']' without a name before it", text)
            if name:
                path.append(name)
            name, depth, named = "", depth - 1, True
        elif depth and not (named and depth):
            name += char
        else:
            raise FieldError(f"invalid field reference {text!r}: write [a][b], not a[b]", text)
    if depth:
        raise FieldError(f"invalid field reference {text!r}: a ']' is missing", text)
    return tuple(path)


def _index(items: list[Any], part: str) -> int | None:
    """Return the index that ``part`` means in ``items``, ``None`` if it is not a number or out of range."""
    digits = part.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    index = int(part)
    if index < 0:
        index += len(items)
    return index if 0 <= index < len(items) else None


def _step(node: Any, part: str) -> Any:
    """Return the child ``part`` of a dict or list, or ``None``."""
    if type(node) is dict:
        return node.get(part)
    if type(node) is list and (index := _index(node, part)) is not None:
        return node[index]
    return None


def _with(node: Any, path: tuple[str, ...], value: Any, text: str) -> Any:
    """Return a copy of ``node`` with ``value`` at ``path``; everything off that path is shared."""
    if not path:
        return value
    part, rest = path[0], path[1:]
    if node is None:
        return {part: _with(None, rest, value, text)}
    if type(node) is dict:
        return {**node, part: _with(node.get(part), rest, value, text)}
    digits = part.removeprefix("-")
    if type(node) is list and digits.isascii() and digits.isdigit():
        index = _index(node, part)
        if index is not None:
            return [*node[:index], _with(node[index], rest, value, text), *node[index + 1 :]]
        missing = int(part) - len(node)
        if 0 <= missing <= 1000:  # like Logstash, pad with nulls; a typo must not exhaust the memory
            return [*node, *[None] * missing, _with(None, rest, value, text)]
    raise FieldError(f"cannot set {text}: {part!r} would be inside a value that has no fields")


def _without(node: Any, path: tuple[str, ...]) -> Any:
    """Return a copy of ``node`` that lacks ``path``, which must exist."""
    part, rest = path[0], path[1:]
    if type(node) is dict:
        if rest:
            return {**node, part: _without(node[part], rest)}
        return {key: value for key, value in node.items() if key != part}
    index = _index(node, part)
    assert index is not None  # noqa: S101 -- checked by ``remove``
    middle = [_without(node[index], rest)] if rest else []
    return [*node[:index], *middle, *node[index + 1 :]]


class FieldRef:
    """A parsed field reference. ``path`` is its parts, ``top`` the first of them; ``str()`` is ``[a][b]``."""

    __slots__ = ("path", "text", "top")

    def __init__(self, text: str) -> None:
        self.path = parse_path(text)
        self.top = self.path[0]
        self.text = self.top if len(self.path) == 1 else "".join(f"[{part}]" for part in self.path)

    @classmethod
    def named(cls, name: str) -> FieldRef:
        """Return the reference that ``name``, which comes from data, means: itself if it is none, as ``a[b``."""
        try:
            return cls(name)
        except FieldError:
            return cls.of_path((name,))

    @classmethod
    def of_path(cls, path: tuple[str, ...]) -> FieldRef:
        """Return the reference with these parts, which come from data; there is at least one."""
        ref = cls.__new__(cls)
        ref.path, ref.top = path, path[0]
        ref.text = ref.top if len(path) == 1 else "".join(f"[{part}]" for part in path)
        return ref

    def __repr__(self) -> str:
        return f"FieldRef({self.text!r})"

    def __str__(self) -> str:
        return "".join(f"[{part}]" for part in self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldRef) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def get(self, event: Event) -> Any:
        """Return the value, ``None`` if the field is missing (or null)."""
        return self.inside(event.get(self.top))

    def inside(self, node: Any) -> Any:
        """Return the value, given that of the top-level field."""
        for part in self.path[1:]:
            node = _step(node, part)
        return node

    def exists(self, event: Event) -> bool:
        """Return whether the field exists, even if it is null."""
        if len(self.path) == 1:
            return self.top in event
        node: Any = event
        for part in self.path[:-1]:
            node = _step(node, part)
        last = self.path[-1]
        return last in node if type(node) is dict else type(node) is list and _index(node, last) is not None

    def set(self, event: Event, value: Any) -> None:
        """Set the value; missing parents are created, existing ones are copied, never changed in place.

        Raises:
            FieldError: A parent is neither a hash nor an array.
        """
        if len(self.path) == 1:
            event[self.top] = value
        else:
            event[self.top] = _with(event.get(self.top), self.path[1:], value, str(self))

    def remove(self, event: Event) -> Any:
        """Remove the field and return its value, ``None`` if it did not exist."""
        if len(self.path) == 1:
            return event.pop(self.top, None)
        if not self.exists(event):
            return None
        value = self.get(event)
        event[self.top] = _without(event[self.top], self.path[1:])
        return value


def add_tag(event: Event, tag: str) -> None:
    """Add ``tag`` to ``[tags]`` once; a single string there becomes an array, as in Logstash."""
    tags = event.get("tags")
    if tags is None:
        event["tags"] = [tag]
    elif type(tags) is not list:
        if tags != tag:
            event["tags"] = [tags, tag]
    elif tag not in tags:
        event["tags"] = [*tags, tag]


def legal_tags(value: Any) -> bool:
    """Return whether ``value`` is valid for ``tags``: an array of texts, a text, or null, as in Logstash."""
    if type(value) is list:
        return all(type(tag) is str for tag in value)
    return value is None or type(value) is str
