"""The inputs of an import: files by codec, decoded as the inputs of the config would decode them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ingestd.compiler.bound import Step
from ingestd.compiler.check import STREAM_CODECS
from ingestd.compiler.common_options import InputCommonOptions
from ingestd.compiler.pipeline import BuiltInput, Pipeline
from ingestd.config.errors import Span
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.jobs.import_input import ImportInput, Imports
from ingestd.jobs.import_mixed import MixedCodec
from ingestd.plugins.inputs._file_content import Content, ContentError
from ingestd.plugins.inputs._file_text import TextCleaner
from ingestd.plugins.interfaces import Codec, delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext, find
from ingestd.protocols.framing.lines import LINE_FEED

AUTO = "auto"
CODECS = (AUTO, "plain", "line", "json_lines")

_JSON, _TEXT, _MIXED, _GROUPED = "json_lines", "line", "mixed", "multiline"
_SNIFFED_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read.

    Attributes:
        codec: One of CODECS.
        charset: Python's name of the encoding of all files; None: UTF-8, or what a byte order mark says.
        again: Read files from the start even if they were imported before.
    """

    codec: str = AUTO
    charset: str | None = None
    again: bool = False


def file_inputs(
    files: Sequence[Path],
    options: ImportOptions,
    imports: Imports,
    pipeline: Pipeline,
    context: BuildContext,
    on_read: Callable[[int], None],
) -> tuple[list[tuple[BuiltInput, ImportInput]], list[str]]:
    """Return an input for each codec in use, and what is wrong with files that cannot be read.

    ``on_read`` is called with the number of bytes read since its last call.
    """
    by_codec, problems = _by_codec(files, options, _delimiters(pipeline))
    inputs = []
    for name, paths in by_codec.items():
        source = ImportInput(paths, imports, context.settings.max_line_bytes, on_read)
        inputs.append((_built(name, options.charset, source, pipeline, context), source))
    return inputs, problems


def _delimiters(pipeline: Pipeline) -> Collection[bytes]:
    """Return what ends lines of the inputs of a config, but for line feeds."""
    return {delimiter_of(built.codec) for built in pipeline.inputs} - {LINE_FEED, b""}


def _by_codec(
    files: Sequence[Path], options: ImportOptions, delimiters: Collection[bytes]
) -> tuple[dict[str, list[Path]], list[str]]:
    problems: list[str] = []
    by_codec: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        try:
            name = _codec_of(path, options.charset, delimiters) if options.codec == AUTO else options.codec
            by_codec[STREAM_CODECS.get(name, name)].append(path)
        except ContentError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
    return by_codec, problems


def _codec_of(path: Path, charset: str | None, delimiters: Collection[bytes]) -> str:
    """Return the codec for a file, judging by the lines at its start, after blank ones and holes.

    ``delimiters``: what ends lines besides line feeds.
    """
    start, cleaner, ended = b"", TextCleaner(), False
    with closing(Content(path, charset)) as content:
        while len(start) < _SNIFFED_BYTES and not ended:
            data = content.read(_SNIFFED_BYTES)
            for delimiter in delimiters:
                data = data.replace(delimiter, LINE_FEED)
            start, ended = (start + cleaner.clean(data)).lstrip(), not data
    return codec_of_lines(start, whole=ended)


def codec_of_lines(start: bytes, *, whole: bool) -> str:
    """Return the codec for a file that starts with these lines: of JSON, of text, or of both.

    ``whole``: this is all of it; else its last line may be cut off, and is judged by its first byte.
    """
    lines = [line.strip() for line in start.split(b"\n")]
    cut = b"" if whole else lines.pop()
    kinds = {_is_json(line) for line in lines if line} or {cut.startswith(b"{")}
    return _MIXED if len(kinds) == 2 else _JSON if True in kinds else _TEXT


def _is_json(line: bytes) -> bool:
    """Return whether a line is a JSON object, or an array of them."""
    if not line.startswith((b"{", b"[")):
        return False
    try:
        value = loads(line.decode(errors="replace").encode())  # the encoding does not matter here
    except NotJsonError:
        return False
    return type(value) is dict or (type(value) is list and bool(value) and all(type(item) is dict for item in value))


def _built(
    codec: str, charset: str | None, source: ImportInput, pipeline: Pipeline, context: BuildContext
) -> BuiltInput:
    """Return the input for files: their events look as if they had come through an input of the config.

    That is the first input with this codec, for text also ``multiline``, whose codec options (such as ``charset``)
    apply; if there is none, the first input, of which only ``type``, ``tags``, ``add_field`` and ``fallback_charset``
    apply. Files that were converted from a charset are UTF-8: no codec options apply.
    """
    models = {built.step.codec.spec.name: built for built in reversed(pipeline.inputs) if built.step.codec is not None}
    if codec == _TEXT not in models and _GROUPED in models and charset is None:
        codec = _GROUPED
    names = (_JSON, _TEXT) if codec == _MIXED else (codec,)
    given = {name: models[name].codec for name in names if name in models and charset is None}
    first = models.get(names[0]) or next(iter(pipeline.inputs), None)
    codecs = {name: given.get(name) or _default_codec(name, first, pipeline, context) for name in names}
    stdin = find("input", "stdin")
    assert stdin is not None  # noqa: S101 -- it is part of ingestd
    step = Step(f"import_{codec}", stdin, None, InputCommonOptions(), None, Span("import", 1, 1))
    if codec == _MIXED:
        chosen: Codec = MixedCodec(codecs[_JSON], codecs[_TEXT], delimiter_of(codecs[_JSON]))
    else:
        chosen = codecs[codec]
    source.grouping, source.delimiter = grouping_of(chosen), delimiter_of(chosen)
    return BuiltInput(step, source, chosen, first.decorate if first else None)


def _default_codec(name: str, first: BuiltInput | None, pipeline: Pipeline, context: BuildContext) -> Codec:
    spec = find("codec", name)
    assert spec is not None  # noqa: S101 -- it is part of ingestd
    options = first.step.codec.options if first is not None and first.step.codec is not None else None
    given = spec.options(fallback_charset=getattr(options, "fallback_charset", ""))
    delimiter = b"" if first is None else delimiter_of(first.codec)
    codec: Codec = spec.build(given, replace(context, fields=pipeline.projection.fields, delimiter=delimiter))
    return codec
