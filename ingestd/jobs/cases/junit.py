"""Outcomes as JUnit's XML, which CI servers show: https://github.com/testmoapp/junitxml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ingestd.jobs.cases.run import Outcome

_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit_xml(outcomes: Sequence[Outcome]) -> bytes:
    """Return the report: a suite for each case file, in order."""
    root = Element("testsuites", _counts(outcomes))
    for file in dict.fromkeys(outcome.case.span.file for outcome in outcomes):
        of_file = [outcome for outcome in outcomes if outcome.case.span.file == file]
        suite = SubElement(root, "testsuite", {"name": _clean(file), **_counts(of_file)})
        for outcome in of_file:
            _add_case(suite, outcome)
    indent(root)
    xml: bytes = tostring(root, "utf-8", xml_declaration=True)
    return xml + b"\n"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        "tests": str(len(outcomes)),
        "failures": str(sum(bool(outcome.differences) for outcome in outcomes)),
        "errors": str(sum(bool(outcome.error) for outcome in outcomes)),
        "time": f"{sum(outcome.seconds for outcome in outcomes):.3f}",
    }


def _add_case(suite: Element, outcome: Outcome) -> None:
    span = outcome.case.span
    attributes = {"name": _clean(outcome.case.name), "classname": _clean(span.file), "file": _clean(span.file)}
    case = SubElement(suite, "testcase", {**attributes, "line": str(span.line), "time": f"{outcome.seconds:.3f}"})
    if outcome.error:
        _add_text(case, "error", outcome.error)
    elif outcome.differences:
        _add_text(case, "failure", "\n".join(outcome.differences))


def _add_text(case: Element, kind: str, text: str) -> None:
    text = _clean(text)
    SubElement(case, kind, {"message": text.split("\n", 1)[0]}).text = text


def _clean(text: str) -> str:
    return _IMPOSSIBLE.sub("\ufffd", text)
