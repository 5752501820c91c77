"""Read XML into hashes and arrays as Ruby's XmlSimple does, and take values out of it with paths.

Follows https://github.com/maik/xml-simple and, for paths, the subset of XPath of
https://docs.python.org/3/library/xml.etree.elementtree.html#supported-xpath-syntax. Texts that declare entities are
refused, and so are deeply nested ones: neither memory nor stack can run out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

MAX_DEPTH = 100
"""Maximum nesting of elements; each is up to two levels of JSON, see ``jsontext.MAX_DEPTH``."""

MAX_COUNTED = 2000
"""Maximum number of elements for paths that count them, as ``/a/b[2]``: that takes quadratic time."""

_CONTENT = "content"
_COUNTED = re.compile(r"\[\s*(?:[0-9]|last\()")
_SUFFIX = re.compile(r"(.*?)(/{0,2})(?:(text)\(\)|@([\w:.*-]+))", re.DOTALL)

Path = Callable[[ET.Element, Mapping[str, str]], list[str]]
"""Returns the values at a path, given the document and its namespaces by prefix."""


class XmlError(ValueError):
    """The text is not XML, or not safe to read."""


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """Whether children are always arrays, text always is a hash, and elements without content are left out."""

    force_array: bool
    force_content: bool
    suppress_empty: bool


def _check(text: str) -> None:
    if "<!ENTITY" in text:
        raise XmlError("it declares entities")


def read_tree(text: str, options: TreeOptions) -> Any:
    """Return the content of the root element: a hash, a text, or None if it is empty.

    Raises:
        XmlError: It is not well-formed, declares entities, or is nested deeper than ``MAX_DEPTH``.
    """
    _check(text)
    return _collapse(_parse(text), options)


def _parse(text: str) -> _Node:
    document = _Node("", {})
    path = [document]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(path) > MAX_DEPTH:
            raise XmlError(f"elements are nested deeper than {MAX_DEPTH} levels")
        node = _Node(name.rpartition(":")[2], attributes)
        path[-1].children.append(node)
        path.append(node)

    def data(piece: str) -> None:
        path[-1].texts.append(piece)

    def end(name: str) -> None:
        node = path.pop()
        node.texts[:] = filter(None, node.texts)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, data, end
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise XmlError(str(error)) from None
    return document.children[0]


def _collapse(node: _Node, options: TreeOptions) -> Any:
    """Return an element as a value."""
    result: dict[str, Any] = {**node.attributes}
    text = "".join(node.texts)
    if node.children:
        for child in node.children:
            value = _collapse(child, options)
            if options.suppress_empty and not node.attributes and _is_empty(value):
                continue
            _merge(result, child.name, value, force_array=options.force_array)
        if text.strip():
            result[_CONTENT] = node.texts[0] if len(node.texts) == 1 else [*node.texts]
    elif text.strip():
        if not node.attributes and not options.force_content:
            return text
        result[_CONTENT] = text
    return None if not result and options.suppress_empty else result


def _is_empty(value: Any) -> bool:
    return not value or (type(value) is str and not value.strip())


def _merge(result: dict[str, Any], name: str, value: Any, *, force_array: bool) -> None:
    """Add a child to the hash of its parent."""
    if name not in result:
        result[name] = [value] if force_array else value
    elif type(result[name]) is list:
        result[name].append(value)  # made here, so in no event yet
    else:
        result[name] = [result[name], value]


def read_document(text: str, *, remove_namespaces: bool) -> tuple[ET.Element, dict[str, str]]:
    """Return an element that has the root as its only child, and the namespaces of the root by prefix.

    Raises:
        XmlError: As ``read_tree``.
    """
    _check(text)
    parser: Any = ET.XMLPullParser(["start-ns", "start", "end"])
    namespaces: dict[str, str] = {}
    document, depth = ET.Element(""), 0
    try:
        parser.feed(text)
        parser.close()
        for event, item in parser.read_events():
            if event == "start-ns" and not len(document):
                namespaces.setdefault(*item)
            elif event == "start":
                depth += 1
                if depth == 1:
                    document.append(item)
                if depth > MAX_DEPTH:
                    raise XmlError(f"elements are nested deeper than {MAX_DEPTH} levels")
            elif event == "end":
                depth -= 1
    except (ET.ParseError, UnicodeEncodeError) as error:
        raise XmlError(str(error)) from None
    if remove_namespaces:
        for element in document.iter():
            element.tag = element.tag.rpartition("}")[2]
            for name in [name for name in element.attrib if "}" in name]:
                element.attrib[name.rpartition("}")[2]] = element.attrib.pop(name)
    return document, namespaces


def compile_path(text: str, namespaces: Mapping[str, str]) -> Path:
    """Return what finds the values of a path: texts, attributes, or elements as XML.

    Args:
        text: As ``/a/b/text()``, ``//b[@c='1']/@d``, ``/a/b``.
        namespaces: The namespaces of prefixes in it; empty: those of the document.

    Raises:
        ValueError: It is not a path of the supported kind.
    """
    suffix = _SUFFIX.fullmatch(text)
    elements = text if suffix is None else suffix[1] + ("//*" if suffix[2] == "//" else "")
    elements = f".{elements}" if elements.startswith("/") else elements or "."
    known, counts = {**namespaces}, _COUNTED.search(elements) is not None
    try:
        ET.Element("").findall(elements, dict.fromkeys(re.findall(r"([\w.-]+):", elements), "-"))
    except (SyntaxError, KeyError, ValueError, TypeError):
        raise ValueError(
            f"xpath {text!r} is not supported: write element names, *, //, .., predicates as [@a='b'] or [1], and "
            "text() or @name at the end"
        ) from None

    def find(document: ET.Element, declared: Mapping[str, str]) -> list[str]:
        prefixes = known or {**declared}
        if counts and sum(1 for _ in document.iter()) > MAX_COUNTED:
            raise XmlError(f"it has more than {MAX_COUNTED} elements, too many for {text!r}")
        try:
            found = document.findall(elements, prefixes)
        except SyntaxError:
            raise XmlError(f"a prefix of {text!r} has no namespace") from None
        if suffix is None:
            return [*map(_as_xml, found)]
        if suffix[3]:
            return [piece for element in found for piece in _texts(element)]
        return [value for element in found for value in _attributes(element, suffix[4], prefixes)]

    return find


def _as_xml(element: ET.Element) -> str:
    tail, element.tail = element.tail, None
    text = ET.tostring(element, "unicode")
    element.tail = tail
    return text


def _texts(element: ET.Element) -> Iterator[str]:
    """Yield the pieces of text right inside an element."""
    yield from filter(None, (element.text, *(child.tail for child in element)))


def _attributes(element: ET.Element, name: str, prefixes: Mapping[str, str]) -> Iterator[str]:
    if name == "*":
        yield from element.attrib.values()
        return
    prefix, colon, local = name.rpartition(":")
    value = element.get(f"{{{prefixes.get(prefix, '')}}}{local}" if colon else name)
    if value is not None:
        yield value
