"""What every plugin owes the others, checked over the whole registry."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import re
import typing
from typing import Any

import pytest

from ingestd.compiler.projection import ALWAYS
from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template
from ingestd.plugins.inputs._server import ServerOptions
from ingestd.plugins.inputs._tls import TLS_LEGACY
from ingestd.plugins.registry import PluginSpec, Touch, load_all, names, option_name
from tests.plugins.filters.tables import SPAN, Case, build, containers, node, options_of, run
from tests.random_cases import sampled

SPECS = load_all()
FILTERS = [spec for spec in SPECS if spec.kind == "filter"]
TYPES = (str, int, float, bool, Any, FieldRef, Template)


def ids(specs: list[PluginSpec]) -> list[str]:
    return [f"{spec.kind}-{spec.name}" for spec in specs]


def cases(name: str) -> list[Case]:
    """Return the table of a filter's test file; a filter of another outcome than ``one`` may have none of this form."""
    table = getattr(importlib.import_module(f"tests.plugins.filters.test_{name}"), "CASES", [])
    return [case for case in table if isinstance(case, Case)]


TABLES = [(spec, case) for spec in FILTERS for case in cases(spec.name)]
MATCHES = sampled([(spec, case) for spec, case in TABLES if spec.outcome == "one"], usual=2)
every_case = pytest.mark.parametrize(
    ("spec", "case"), MATCHES, ids=[f"{spec.name}-{case.id}" for spec, case in MATCHES]
)


def touch_of(spec: PluginSpec, case: Case) -> Touch:
    """Return what the filter states, with the failure tag that the pipeline adds."""
    tags = frozenset({"tags"})
    return spec.touches(options_of(spec.name, case.settings)) | Touch(reads=tags, sets=tags)


@pytest.mark.parametrize("kind", ["input", "codec", "filter", "output"])
def test_every_file_is_a_plugin_of_its_name(kind: Any) -> None:
    assert [spec.name for spec in SPECS if spec.kind == kind] == names(kind)


@pytest.mark.parametrize("spec", SPECS, ids=ids(SPECS))
def test_plugin_is_documented(spec: PluginSpec) -> None:
    first = spec.doc.strip().split("\n\n")[0]
    assert first.endswith("."), "the docstring of build() begins with a sentence for users"
    assert re.fullmatch("[a-z0-9_]+", spec.name)


@pytest.mark.parametrize("spec", SPECS, ids=ids(SPECS))
def test_options_are_documented_and_typed(spec: PluginSpec) -> None:
    hints = typing.get_type_hints(spec.options)
    assert spec.options.__dataclass_params__.frozen
    for item in dataclasses.fields(spec.options):
        doc = item.metadata["doc"]
        assert doc.endswith("."), f"{item.name}: the sentence of an option ends with a full stop"
        kinds = typing.get_args(hints[item.name]) or (hints[item.name],)
        assert all(kind in TYPES or kind is type(None) or typing.get_args(kind) for kind in kinds), item.name


@pytest.mark.parametrize("spec", SPECS, ids=ids(SPECS))
def test_defaults_are_among_the_choices(spec: PluginSpec) -> None:
    for item in dataclasses.fields(spec.options):
        choices = item.metadata["choices"]
        if choices and item.default not in (dataclasses.MISSING, None, ""):  # the last two: not given
            assert item.default in choices, option_name(item)


@pytest.mark.parametrize("spec", SPECS, ids=ids(SPECS))
def test_legacy_options_have_a_successor_or_advice(spec: PluginSpec) -> None:
    declared = {option_name(item) for item in dataclasses.fields(spec.options)}
    for name, legacy in spec.legacy.items():
        assert name not in declared
        assert legacy.successor in declared if legacy.successor else legacy.note, name


SERVERS = [spec for spec in SPECS if issubclass(spec.options, ServerOptions)]


@pytest.mark.parametrize("spec", SERVERS, ids=ids(SERVERS))
def test_inputs_with_tls_take_logstashs_names_and_warn(spec: PluginSpec) -> None:
    assert spec.legacy.items() >= TLS_LEGACY.items()
    [warning] = spec.option_warnings(spec.options(port=1, ssl_certificate="/cert.pem"))
    assert warning.text == "ssl_certificate has no effect: ssl_enabled is not set, so the port takes no TLS"


@pytest.mark.parametrize("spec", FILTERS, ids=ids(FILTERS))
def test_filter_has_a_failure_tag(spec: PluginSpec) -> None:
    assert re.fullmatch("(_[a-z]+)+", spec.failure_tag)


@pytest.mark.parametrize("spec", FILTERS, ids=ids(FILTERS))
def test_filter_has_a_table_of_cases(spec: PluginSpec) -> None:
    assert spec.outcome == "any_number" or cases(spec.name)


@every_case
def test_what_is_changed_is_stated(spec: PluginSpec, case: Case) -> None:
    """``run`` watches over THE LAW OF EVENTS meanwhile: no container in an event is changed in place."""
    touch = touch_of(spec, case)
    event, _ = run(spec.name, case)
    if touch.unknown:
        return
    changed = {key for key in event.keys() | case.before.keys() if _differs(event, case.before, key)}
    removed = case.before.keys() - event.keys()
    foreign = touch.foreign if _is_foreign(touch, case) else frozenset()
    assert changed <= {FieldRef(name).top for name in touch.sets | touch.removes | foreign}
    assert removed <= {FieldRef(name).top for name in touch.removes | foreign}


@every_case
def test_a_record_decoded_as_far_as_stated_comes_out_the_same(spec: PluginSpec, case: Case) -> None:
    """What the filter does not state, it must not need."""
    touch = touch_of(spec, case)
    if touch.unknown:
        return
    tops = touch.tops() | ALWAYS
    if _is_foreign(touch, case):
        tops |= touch.foreign
    bystander = {"bystander": ["not", "touched"]}
    full, done = run(spec.name, case._replace(before={**case.before, **bystander}))
    part, part_done = run(
        spec.name, case._replace(before={key: value for key, value in case.before.items() if key in tops})
    )
    untouched = {key: value for key, value in (case.before | bystander).items() if key not in tops}
    assert repr(sorted({**part, **untouched}.items())) == repr(sorted(full.items()))
    assert done == part_done


def _is_foreign(touch: Touch, case: Case) -> bool:
    """Return whether a case is a record of another program that is decoded in full: see ``Touch``."""
    unversioned = "logger_name" not in case.before and "@version" not in case.before
    return unversioned or not touch.whole.isdisjoint(case.before)


@every_case
def test_a_filter_keeps_nothing_of_an_event(spec: PluginSpec, case: Case) -> None:
    """Events share one function: the second must come out as the first, and share nothing with it."""
    function = build(spec.name, **case.settings)
    first, second = copy.deepcopy(case.before), copy.deepcopy(case.before)
    assert function(first) == function(second)
    assert first == second
    shared = {id(item) for item in containers(first)} & {id(item) for item in containers(second)}
    assert not shared


def _differs(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    return repr(one.get(key, SPAN)) != repr(other.get(key, SPAN)) or (key in one) != (key in other)


def test_settings_of_a_table_are_written_as_in_a_config() -> None:
    """``node`` makes what the parser makes, so that the tables test the reading of options as well."""
    assert repr(node({"a": [1, "x", True]})).count("StringLiteral(") == 3
