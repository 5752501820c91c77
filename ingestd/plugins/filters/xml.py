"""``xml``: read XML text into a field, or values of it into fields.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-xml and the plugin's version 4.3. Unlike
there, text that is not well-formed is a failure also without ``store_xml``, entities cannot be declared, and ``xpath``
supports paths of elements, predicates, ``text()`` and attributes, but no functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.plugins.filters._targets import target
from ingestd.plugins.filters._xml_trees import TreeOptions, XmlError, compile_path, read_document, read_tree
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``xml``."""

    source: FieldRef = required("Field with the XML text.")
    target: FieldRef | None = option(None, "Field for the document; needed unless `store_xml` is false.")
    store_xml: bool = option(True, "Store the whole document in `target`.")
    xpath: dict[str, FieldRef] = option(
        {}, 'Paths and the fields for what they find, as arrays: `"/a/b/text()" => "b"`, `"//b/@c" => "c"`.'
    )
    namespaces: dict[str, str] = option(
        {}, "Namespaces of the prefixes in `xpath`; default: those of the root element."
    )
    remove_namespaces: bool = option(False, "Ignore all namespaces in `xpath`.")
    force_array: bool = option(True, "Make an array of a child element also if there is just one of its name.")
    force_content: bool = option(False, "Make text a hash with `content` also if its element has no attributes.")
    suppress_empty: bool = option(True, "Leave out elements without content; otherwise they are empty hashes.")
    parse_options: str = option("", "For compatibility with Logstash; parsing is always strict.")


def _touches(options: Options) -> Touch:
    sets = frozenset(ref.text for ref in (*options.xpath.values(), *filter(None, [options.target])))
    return Touch(reads=sets | {options.source.text}, sets=sets | {"tags"})


@filter_plugin("xml", Options, touches=_touches, failure_tag="_xmlparsefailure")
def build(options: Options, context: BuildContext) -> FilterFn:
    """Read XML text into a field, or values of it into fields.

    A missing or empty source is skipped; one that is not XML text gets the tag `_xmlparsefailure`. The common options
    run if anything was stored.
    """
    if options.store_xml and options.target is None:
        raise ValueError("store_xml needs a target; set it, or store_xml => false")
    source, tree_options = (
        options.source,
        TreeOptions(options.force_array, options.force_content, options.suppress_empty),
    )
    paths = [(compile_path(path, options.namespaces), target(ref)) for path, ref in options.xpath.items()]
    destination = target(options.target) if options.target is not None and options.store_xml else None

    def xml(event: Event) -> bool:
        if not source.exists(event):
            return False
        text = _text(source.get(event))
        if not text.strip():
            return False
        found: list[tuple[FieldRef, Any]] = []
        if paths:
            document, namespaces = read_document(text, remove_namespaces=options.remove_namespaces)
            found += [(ref, values) for find, ref in paths if (values := find(document, namespaces))]
        if destination is not None:
            found.append((destination, read_tree(text, tree_options)))
        for ref, value in found:
            ref.set(event, value)
        return bool(found)

    return xml


def _text(value: Any) -> str:
    """Return the text, which may be the only item of an array. Raises XmlError if there is none."""
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is not str:
        raise XmlError("the source is not text")
    return value
