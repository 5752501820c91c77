"""The inputs of an import: files by codec, decoded as the inputs of the config would decode them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ingestd.compiler.bound import Step
from ingestd.compiler.check import STREAM_CODECS
from ingestd.compiler.common_options import InputCommonOptions
from ingestd.compiler.pipeline import BuiltInput, Pipeline
from ingestd.config.errors import Span
from ingestd.jobs.import_files import Content, ContentError
from ingestd.jobs.import_input import FileInput, Imports
from ingestd.plugins.interfaces import Codec
from ingestd.plugins.registry import BuildContext, find

AUTO = "auto"
CODECS = (AUTO, "plain", "line", "json_lines")

_SNIFFED_BYTES = 1 << 16


def file_inputs(
    files: Sequence[Path],
    codec: str,
    imports: Imports,
    pipeline: Pipeline,
    context: BuildContext,
    on_read: Callable[[int], None],
) -> tuple[list[tuple[BuiltInput, FileInput]], list[str]]:
    """Return an input for each codec in use, and what is wrong with files that cannot be read.

    ``codec`` is one of CODECS; ``on_read`` is called with the number of bytes read since its last call.
    """
    by_codec, problems = _by_codec(files, codec)
    inputs = []
    for name, paths in by_codec.items():
        source = FileInput(paths, imports, context.settings.max_line_bytes, on_read)
        inputs.append((_built(name, source, pipeline, context), source))
    return inputs, problems


def _by_codec(files: Sequence[Path], codec: str) -> tuple[dict[str, list[Path]], list[str]]:
    problems: list[str] = []
    by_codec: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        try:
            name = _sniff(path) if codec == AUTO else codec
            by_codec[STREAM_CODECS.get(name, name)].append(path)
        except ContentError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
    return by_codec, problems


def _sniff(path: Path) -> str:
    """Return the codec for a file, judging by the start of its content."""
    with closing(Content(path)) as content:
        start = content.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json_lines" if start.startswith(b"{") else "line"


def _built(codec: str, source: FileInput, pipeline: Pipeline, context: BuildContext) -> BuiltInput:
    """Return the input for files: their events look as if they had come through an input of the config.

    That is the first input with this codec, whose codec options (such as ``charset``) apply; if there is none, the
    first input, of which only ``type``, ``tags`` and ``add_field`` apply.
    """
    same_codec = (
        built for built in pipeline.inputs if built.step.codec is not None and built.step.codec.spec.name == codec
    )
    model = next(same_codec, None)
    spec, stdin = find("codec", codec), find("input", "stdin")
    assert spec is not None  # noqa: S101 -- both are part of ingestd
    assert stdin is not None  # noqa: S101
    default: Codec = spec.build(spec.options(), replace(context, fields=pipeline.projection.fields))
    first = model or next(iter(pipeline.inputs), None)
    step = Step(f"import_{codec}", stdin, None, InputCommonOptions(), None, Span("import", 1, 1))
    return BuiltInput(step, source, model.codec if model else default, first.decorate if first else None)
