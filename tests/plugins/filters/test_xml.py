"""The filter ``xml``."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import Event
from ingestd.plugins.filters._xml_trees import MAX_DEPTH
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check
from tests.random_cases import sampled

TREE = {"source": "m", "target": "d"}
BOOK = '<b xmlns:x="urn:x" id="1"><t>A &amp; B</t><t x:l="ko">C<i/>D</t><x:n>5</x:n></b>'


def tree(name: str, settings: dict[str, Any], text: str, document: Any) -> Case:
    return Case(name, {**TREE, **settings}, {"m": text}, {"m": text, "d": document})


def path(name: str, xpath: str, found: list[str] | None, **settings: Any) -> Case:
    after = {"m": BOOK} if found is None else {"m": BOOK, "f": found}
    settings = {"source": "m", "store_xml": False, "xpath": {xpath: "f"}, **settings}
    return Case(name, settings, {"m": BOOK}, after, found is not None)


CASES = [
    tree("text", {}, "<foo>x</foo>", "x"),
    tree("child", {}, "<foo><key>value</key></foo>", {"key": ["value"]}),
    tree(
        "attributes",
        {},
        '<foo id="1"><key a="b">value</key></foo>',
        {"id": "1", "key": [{"a": "b", "content": "value"}]},
    ),
    tree("several", {}, "<foo><k>1</k><l/><k>2</k></foo>", {"k": ["1", "2"]}),
    tree("nested", {}, "<a><b><c>1</c></b></a>", {"b": [{"c": ["1"]}]}),
    tree("mixed", {}, "<a>x<b>1</b>y</a>", {"b": ["1"], "content": ["x", "y"]}),
    tree("text_and_child", {}, "<a>x<b>1</b></a>", {"b": ["1"], "content": "x"}),
    tree("blanks_between", {}, "<a>\n <b>1</b>\n</a>", {"b": ["1"]}),
    tree("cdata", {}, "<a><b><![CDATA[<x> & y]]> z</b></a>", {"b": ["<x> & y z"]}),
    tree("escapes", {}, "<a><b>&lt;&#54620;&amp;</b></a>", {"b": ["<한&"]}),
    tree("empty_is_left_out", {}, "<a><b/><c>1</c><d> </d></a>", {"c": ["1"]}),
    tree("empty_under_attributes", {}, '<a x="1"><b/></a>', {"x": "1", "b": [None]}),
    tree("empty_root", {}, "<a/>", None),
    tree("empty_is_kept", {"suppress_empty": False}, "<a><b/><c>1</c></a>", {"b": [{}], "c": ["1"]}),
    tree("no_force_array", {"force_array": False}, "<a><b>1</b><c>2</c><c>3</c></a>", {"b": "1", "c": ["2", "3"]}),
    tree("force_content", {"force_content": True}, "<a><b>1</b></a>", {"b": [{"content": "1"}]}),
    tree(
        "namespaces",
        {},
        '<x:a xmlns:x="urn:x"><x:b x:c="1">2</x:b></x:a>',
        {"xmlns:x": "urn:x", "b": [{"x:c": "1", "content": "2"}]},
    ),
    tree("declared_encoding", {}, '<?xml version="1.0" encoding="EUC-KR"?><a><b>한</b></a>', {"b": ["한"]}),
    tree("doctype", {}, "<!DOCTYPE a><a><b>1</b></a>", {"b": ["1"]}),
    path("path_text", "/b/t/text()", ["A & B", "C", "D"]),
    path("path_anywhere", "//t/text()", ["A & B", "C", "D"]),
    path("path_any_text", "//text()", ["A & B", "C", "D", "5"]),
    path("path_attribute", "/b/@id", ["1"]),
    path("path_any_attribute", "//@id", ["1"]),
    path("path_predicate", "/b[@id='1']/t[2]/text()", ["C", "D"]),
    path("path_element", "/b/t[1]", ["<t>A &amp; B</t>"]),
    path("path_all", "/b/*/text()", ["A & B", "C", "D", "5"]),
    path("path_prefix_of_the_root", "/b/x:n/text()", ["5"]),
    path("path_prefixed_attribute", "//t/@x:l", ["ko"]),
    path("path_own_prefix", "/b/y:n/text()", ["5"], namespaces={"y": "urn:x"}),
    path("path_without_namespaces", "/b/n/text()", ["5"], remove_namespaces=True),
    path("path_namespace_needed", "/b/n/text()", None),
    path("path_finds_nothing", "/x/text()", None),
    Case(
        "both",
        {**TREE, "xpath": {"/a/b/text()": "[x][y]"}},
        {"m": "<a><b>1</b></a>"},
        {"m": "<a><b>1</b></a>", "x": {"y": ["1"]}, "d": {"b": ["1"]}},
    ),
    Case(
        "path_replaces",
        {"source": "m", "store_xml": False, "xpath": {"/a/text()": "f"}},
        {"m": "<a>1</a>", "f": "old"},
        {"m": "<a>1</a>", "f": ["1"]},
    ),
    Case("source_is_target", {"source": "m", "target": "m"}, {"m": "<a><b>1</b></a>"}, {"m": {"b": ["1"]}}),
    Case("array_of_one", TREE, {"m": ["<a>1</a>"]}, {"m": ["<a>1</a>"], "d": "1"}),
    Case("missing", TREE, {"x": 1}, {"x": 1}, False),
    Case("blank", TREE, {"m": " \n"}, {"m": " \n"}, False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_xml(case: Case) -> None:
    check("xml", case)


LAUGHS = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>'
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
DEEP = "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1)


@pytest.mark.parametrize(
    "value",
    ["<a>", "<a></b>", "no xml", "<a/><b/>", LAUGHS, FILE, DEEP, 5, None, ["<a/>", "<a/>"], [], {"a": "<a/>"}],
    ids=["open", "wrong_end", "text", "two_roots", "laughs", "file", "deep", "number", "null", "two", "none", "hash"],
)
@pytest.mark.parametrize("options", ['target => "d"', 'store_xml => false xpath => { "//a/text()" => "d" }'])
def test_what_is_no_xml_is_tagged(options: str, value: Any) -> None:
    [found] = run(f'xml {{ source => "m" {options} add_field => {{ "done" => "1" }} }}', {"m": value})
    assert found == {"m": value, "tags": ["_xmlparsefailure"]}


def test_prefix_without_a_namespace() -> None:
    [found] = run('xml { source => "m" store_xml => false xpath => { "/q:a" => "d" } }', {"m": "<a/>"})
    assert found == {"m": "<a/>", "tags": ["_xmlparsefailure"]}


XPATHS = ["//b/text()", "//b[1]/text()", "//b[last()]", "/a/b[@c='1']/@c", "//@c"]


@pytest.mark.parametrize("xpath", sampled(XPATHS))
def test_many_elements(xpath: str) -> None:
    """What is quadratic would take minutes."""
    text = f"<a>{'<b/>' * 100_000}</a>"
    run(f'xml {{ source => "m" store_xml => false xpath => {{ "{xpath}" => "d" }} }}', {"m": text})


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"source": "m"}, "store_xml needs a target"),
        ({**TREE, "xpath": {"count(/a)": "n"}}, "'count\\(/a\\)' is not supported"),
        ({**TREE, "xpath": {"/a[": "n"}}, "is not supported"),
    ],
)
def test_wrong_options(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        build("xml", **settings)


def elements(depth: int) -> st.SearchStrategy[ET.Element]:
    names, texts = st.sampled_from("abc"), st.text("xy <&한", max_size=4)
    children = st.lists(elements(depth - 1), max_size=3) if depth else st.just([])

    @st.composite
    def element(draw: st.DrawFn) -> ET.Element:
        made = ET.Element(draw(names), draw(st.dictionaries(names, texts, max_size=2)))
        made.text = draw(texts)
        made.extend(draw(children))
        return made

    return element()


@given(elements(2))
def test_what_is_written_is_read(root: ET.Element) -> None:
    """Without options that leave anything out, all leaves are found again."""
    event: Event = {"m": ET.tostring(root, "unicode")}
    assert build("xml", source="m", target="d", suppress_empty=False, force_content=True)(event) is True
    texts = [text for element in root.iter() if (text := element.text or "").strip()]
    assert sorted(_leaves(event["d"])) == sorted([*texts, *(v for e in root.iter() for k, v in e.attrib.items())])


def _leaves(value: Any) -> list[str]:
    if type(value) is str:
        return [value]
    items = value.values() if type(value) is dict else value
    return [leaf for item in items for leaf in _leaves(item)]


PIPELINE = pipeline_of('xml { source => "message" target => "a" xpath => { "//a/text()" => "b" } }')


@given(EVENTS | st.fixed_dictionaries({"message": st.text("<>/a='\" &;!x", max_size=30), "id": st.just(7)}))
def test_no_event_is_lost(event: Event) -> None:
    assert len(survivors(PIPELINE, event)) == 1
