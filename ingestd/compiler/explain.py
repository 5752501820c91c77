"""Tell in words what the compiler makes of a config."""

from __future__ import annotations

from ingestd.compiler.bound import Bound, Fork, Program, Step
from ingestd.compiler.check import check
from ingestd.compiler.pipeline import plan
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config


def explain(config: Config, *, code: bool = False) -> str:
    """Return the explanation of ``config``, or the generated Python if ``code``.

    Raises:
        ConfigErrors: The config is wrong.
    """
    program, errors = check(config)
    projection, written = plan(program, errors)
    fatal = [error for error in errors if error.severity == "error"]
    if fatal:
        raise ConfigErrors(fatal, config.sources)
    if code:
        return written.text
    lines = [f"pipeline: {', '.join(config.sources)}"]
    for title, bounds in (("input", program.inputs), ("filter", program.filters), ("output", program.outputs)):
        lines += ["", title]
        lines += _tree(bounds, 1, program) or ["  (nothing)"]
    touch = projection.touch
    lines += ["", "fields"]
    lines += [f"  {word:<8}{_list(names)}" for word, names in _words(touch.reads, touch.sets, touch.removes)]
    lines += ["", "decoding"]
    if projection.fields is None:
        lines.append(f"  in full: {projection.why}")
    else:
        lines.append(f"  projected: JSON codecs decode only {_list(projection.fields)}")
        lines.append(f"  because {projection.why}; the rest of a record stays as the bytes that came")
    return "\n".join(lines) + "\n"


def _tree(bounds: tuple[Bound, ...], depth: int, program: Program) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    for bound in bounds:
        if isinstance(bound, Step):
            lines += _step(bound, pad)
            continue
        lines += _fork(bound, depth, program)
    return lines


def _fork(fork: Fork, depth: int, program: Program) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    for number, (test, body) in enumerate(fork.tests):
        text = program.sources.get(test.span.file, "").split("\n")[test.span.line - 1].strip().rstrip("{ ")
        word = "if" if number == 0 else "else if"
        shown = text if text.startswith(("if", "else", "}")) else f"{word} {text}"
        lines.append(f"{pad}{shown.removeprefix('} ')}")
        lines += _tree(body, depth + 1, program)
    if fork.otherwise:
        lines.append(f"{pad}else")
        lines += _tree(fork.otherwise, depth + 1, program)
    return lines


def _step(step: Step, pad: str) -> list[str]:
    place = f"{step.span.file}:{step.span.line}"
    codec = f" codec {step.codec.spec.name}" if step.codec else ""
    lines = [f"{pad}{step.spec.name}{codec}  ({step.plugin_id}, {place})"]
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
