"""Group the operators of a condition as Logstash does.

Its parser (``LSCL::AST::Condition#join_conditions``) sorts by rank: ``and`` 2, the others 1, equal ranks to the
right. But a new operator takes only *one* operator of higher rank off the stack, so that two ``and``s before an
``or`` group in an unexpected way::

    a and b or c          is  (a and b) or c
    a or b and c          is  a or (b and c)
    a and b and c or d    is  a and ((b and c) or d)

We do the same, because a config must take the same branches here as there, and warn where it matters.
Logstash 9 rejects ``xor`` and ``nand`` next to a second operator; here they rank with ``or``, as in its older parser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingestd.config.errors import Span
from ingestd.config.nodes import Condition, Logic

Operator = Literal["and", "or", "xor", "nand"]

#: How deep ``Logic`` nodes may nest, so that no later step runs out of stack.
MAX_DEPTH = 100

_RANK: dict[Operator, int] = {"and": 2, "or": 1, "xor": 1, "nand": 1}


class TooDeepError(Exception):
    """The operators at ``span`` nest deeper than ``MAX_DEPTH``."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


@dataclass(slots=True)
class _Run:
    """Operands joined by one operator: ``spans[i]`` is the operator between operands i and i + 1."""

    operator: Operator
    operands: deque[_Part]
    spans: deque[Span]
    depth: int


_Part = Condition | _Run


def group(operands: Sequence[Condition], operators: Sequence[tuple[Operator, Span]]) -> Condition:
    """Return n operands and the n - 1 operators between them as one condition.

    ``a or b or c …`` becomes a balanced tree, which means the same and stays shallow however long it is.

    Raises:
        TooDeepError: Operators of different kinds alternate so often that the tree would exceed ``MAX_DEPTH``.
    """
    done: list[_Part] = [operands[0]]
    waiting: list[tuple[Operator, Span]] = []
    for operator, operand in zip(operators, operands[1:], strict=True):
        if waiting and _RANK[waiting[-1][0]] > _RANK[operator[0]]:
            _join(done, waiting.pop())
        waiting.append(operator)
        done.append(operand)
    while waiting:
        _join(done, waiting.pop())
    return _finish(done[0])


def surprises(operators: Sequence[tuple[Operator, Span]]) -> Span | None:
    """Return the first operator that breaks the rule "``and`` binds tighter than ``or``" in Logstash."""
    ranks: list[int] = []
    for operator, span in operators:
        rank = _RANK[operator]
        if ranks and ranks[-1] > rank:
            ranks.pop()
            if ranks and ranks[-1] > rank:
                return span
        ranks.append(rank)
    return None


def _join(done: list[_Part], operator: tuple[Operator, Span]) -> None:
    """Replace the last two parts by one."""
    name, span = operator
    right, left = done.pop(), done.pop()
    if isinstance(right, _Run) and right.operator == name and name != "nand":  # nand alone is not associative
        right.operands.appendleft(left)
        right.spans.appendleft(span)
        right.depth = max(right.depth, _depth(left) + 1)
        run = right
    else:
        run = _Run(name, deque((left, right)), deque((span,)), max(_depth(left), _depth(right)) + 1)
    if run.depth > MAX_DEPTH:
        raise TooDeepError(span)
    done.append(run)


def _depth(part: _Part) -> int:
    return part.depth if isinstance(part, _Run) else 0


def _finish(part: _Part) -> Condition:
    if not isinstance(part, _Run):
        return part
    operands = [_finish(operand) for operand in part.operands]
    return _balance(part.operator, operands, list(part.spans))


def _balance(operator: Operator, operands: list[Condition], spans: list[Span]) -> Condition:
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    left = _balance(operator, operands[:middle], spans[: middle - 1])
    right = _balance(operator, operands[middle:], spans[middle:])
    return Logic(operator, left, right, spans[middle - 1])
