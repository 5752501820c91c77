"""How ``and``, ``or``, ``xor`` and ``nand`` group: the cases of Logstash's own specification, then laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import Span
from ingestd.config.nodes import Condition, Logic, Negation, Selector, Truth
from ingestd.config.parser import parse
from ingestd.config.precedence import Operator, TooDeepError, group, surprises

HERE = Span("f", 1, 1)


def shape(condition: Condition) -> str:
    match condition:
        case Logic():
            return f"({shape(condition.left)} {condition.op} {shape(condition.right)})"
        case Negation():
            return f"!{shape(condition.condition)}"
        case Truth(operand=Selector(text=text)):
            return text.strip("[]")
    raise TypeError(condition)


CASES = [  # written, meant
    ("a and b or c", "((a and b) or c)"),
    ("a or b and c", "(a or (b and c))"),
    ("a or b or c", "(a or (b or c))"),
    ("a and b and c", "(a and (b and c))"),
    ("a and b or c and d", "((a and b) or (c and d))"),
    ("a and b and c or d", "(a and ((b and c) or d))"),
    ("a xor b and c", "(a xor (b and c))"),
    ("a and b nand c", "((a and b) nand c)"),
    ("a nand b nand c", "(a nand (b nand c))"),
    ("a or b xor c", "(a or (b xor c))"),
    ("a and ( b or c ) and d", "(a and ((b or c) and d))"),
    ("( a or b ) and c", "((a or b) and c)"),
    ("! a and b", "(!a and b)"),
    ("! ( a and b ) or c", "(!(a and b) or c)"),
]


@pytest.mark.parametrize(("written", "meant"), CASES, ids=[c[0] for c in CASES])
def test_grouping(written: str, meant: str) -> None:
    text = " ".join(f"[{word}]" if word in "abcd" else word for word in written.split())
    (branch,) = parse(f"filter {{ if {text} {{ }} }}", "f", {}).filters
    assert shape(branch.tests[0][0]) == meant  # type: ignore[union-attr]


def chain(operators: list[Operator]) -> tuple[list[Condition], list[tuple[Operator, Span]]]:
    fields = [Truth(Selector(f"[{number}]", HERE), HERE) for number in range(len(operators) + 1)]
    return list(fields), [(operator, Span("f", 1, column)) for column, operator in enumerate(operators, 1)]


def evaluate(condition: Condition, values: list[bool]) -> bool:
    if isinstance(condition, Logic):
        left, right = evaluate(condition.left, values), evaluate(condition.right, values)
        return {"and": left and right, "or": left or right, "xor": left != right, "nand": not (left and right)}[
            condition.op
        ]
    return values[int(shape(condition))]


def shunting_yard(operators: list[Operator], values: list[bool]) -> bool:
    """What Logstash does, in the words of its source: one pop for a new operator, the rest at the end."""
    rank = {"and": 2, "or": 1, "xor": 1, "nand": 1}
    out: list[Any] = [values[0]]
    waiting: list[Operator] = []
    for operator, value in zip(operators, values[1:], strict=True):
        if waiting and rank[waiting[-1]] > rank[operator]:
            out.append(waiting.pop())
        waiting.append(operator)
        out.append(value)
    stack: list[bool] = []
    for item in out + waiting[::-1]:
        if isinstance(item, bool):
            stack.append(item)
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(
                {"and": left and right, "or": left or right, "xor": left != right}.get(item, not (left and right))
            )
    return stack[0]


names = st.lists(st.sampled_from(["and", "or", "xor", "nand"]), max_size=12)


@given(names, st.data())
def test_groups_as_logstash_does(operators: list[Operator], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.booleans(), min_size=len(operators) + 1, max_size=len(operators) + 1))
    assert evaluate(group(*chain(operators)), values) == shunting_yard(operators, values)


@given(st.lists(st.sampled_from(["and", "or"]), max_size=10), st.data())
def test_means_what_everyone_thinks_unless_it_warns(operators: list[Operator], data: st.DataObject) -> None:
    """``and`` before ``or``, as in Python."""
    values = data.draw(st.lists(st.booleans(), min_size=len(operators) + 1, max_size=len(operators) + 1))
    operands, placed = chain(operators)
    if surprises(placed) is None:
        words = " ".join(f"{operator} {value}" for operator, value in zip(operators, values[1:], strict=True))
        assert evaluate(group(operands, placed), values) == eval(f"{values[0]} {words}")


def test_each_operator_keeps_its_place() -> None:
    def check(condition: Condition) -> tuple[int, int]:
        """Return the numbers of the first and last operand; operator n stands between operands n - 1 and n."""
        if not isinstance(condition, Logic):
            return int(shape(condition)), int(shape(condition))
        (first, middle), (after, last) = check(condition.left), check(condition.right)
        assert middle + 1 == after == condition.span.column
        return first, last

    operators: list[Operator] = ["or", "or", "and", "xor", "and", "or", "or", "or", "nand", "or"]
    assert check(group(*chain(operators))) == (0, 10)


def depth(condition: Condition) -> int:
    return 1 + max(depth(condition.left), depth(condition.right)) if isinstance(condition, Logic) else 0


@pytest.mark.parametrize("operator", ["and", "or", "xor"])
def test_long_runs_are_balanced(operator: Operator) -> None:
    assert depth(group(*chain([operator] * 1023))) == 10


def test_what_cannot_be_balanced_is_bounded() -> None:
    assert depth(group(*chain(["nand"] * 100))) == 100
    with pytest.raises(TooDeepError):
        group(*chain(["nand"] * 101))
