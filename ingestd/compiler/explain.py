"""Describe in words what the compiler makes of a config."""

from __future__ import annotations

from ingestd.compiler.bound import BoundBranch, BoundPipeline, BoundStatement, Step
from ingestd.compiler.check import check
from ingestd.compiler.pipeline import plan
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.settings import Settings


def explain(config: Config, settings: Settings | None = None, *, code: bool = False) -> str:
    """Return the explanation of ``config``, or the generated Python if ``code``.

    Raises:
        ConfigErrors: The config is wrong.
    """
    bound, errors = check(config, settings)
    projection, generated = plan(bound, errors)
    fatal = [error for error in errors if error.severity == "error"]
    if fatal:
        raise ConfigErrors(fatal, config.sources)
    if code:
        return generated.text
    lines = [f"pipeline: {', '.join(config.sources)}"]
    for title, statements in (("input", bound.inputs), ("filter", bound.filters), ("output", bound.outputs)):
        lines += ["", title]
        lines += _tree(statements, 1, bound) or ["  (nothing)"]
    touch = projection.touch
    lines += ["", "fields"]
    lines += [f"  {word:<8}{_list(names)}" for word, names in _words(touch.reads, touch.sets, touch.removes)]
    lines += ["", "decoding"]
    if projection.fields is None:
        lines.append(f"  in full: {projection.why}")
    else:
        lines.append(f"  projected: JSON codecs decode only {_list(projection.fields)}")
        lines.append(f"  because {projection.why}; the rest of a record stays as the bytes that came")
        if touch.whole:
            lines.append(f"  in full: records with {_list(touch.whole)}, which other programs write")
    return "\n".join(lines) + "\n"


def _tree(statements: tuple[BoundStatement, ...], depth: int, bound: BoundPipeline) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    for statement in statements:
        if isinstance(statement, Step):
            lines += _step(statement, pad)
            continue
        lines += _branch(statement, depth, bound)
    return lines


def _branch(branch: BoundBranch, depth: int, bound: BoundPipeline) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    for number, (test, body) in enumerate(branch.tests):
        text = bound.sources.get(test.span.file, "").split("\n")[test.span.line - 1].strip().rstrip("{ ")
        word = "if" if number == 0 else "else if"
        shown = text if text.startswith(("if", "else", "}")) else f"{word} {text}"
        lines.append(f"{pad}{shown.removeprefix('} ')}")
        lines += _tree(body, depth + 1, bound)
    if branch.otherwise:
        lines.append(f"{pad}else")
        lines += _tree(branch.otherwise, depth + 1, bound)
    return lines


def _step(step: Step, pad: str) -> list[str]:
    location = f"{step.span.file}:{step.span.line}"
    codec = f" codec {step.codec.spec.name}" if step.codec else ""
    lines = [f"{pad}{step.spec.name}{codec}  ({step.plugin_id}, {location})"]
    touch = step.touch()
    lines += [
        f"{pad}    {word:<8}{_list(names)}" for word, names in _words(touch.reads, touch.sets, touch.removes) if names
    ]
    if touch.unknown:
        lines.append(f"{pad}    unknown {touch.unknown}")
    return lines


def _words(*sets: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    return list(zip(("reads", "sets", "removes"), sets, strict=True))


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
