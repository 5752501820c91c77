"""``multiline``: lines that belong together become one event: stack traces, wrapped messages.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-multiline. Lines are joined for each
connection or file. The lines of an event that has not ended yet stay where a line that has not ended stays: in the
kernel's buffer of a connection, where they outlive the daemon. So without `auto_flush_interval` an event is stored when
the next one starts, or when the connection ends. An event's id is the place of its first line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import add_tag
from ingestd.event.table import Table
from ingestd.grok.compile import compile_grok
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.library import load_library
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._options import (
    charset_option,
    fallback_charset_option,
    line_delimiter,
    original_option,
)
from ingestd.plugins.codecs._text import TextDecoder
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin, required
from ingestd.protocols.framing.grouping import LineGrouping
from ingestd.protocols.framing.lines import LINE_FEED
from ingestd.units import parse_size

_TIMEOUT_S = 1.0
"""Of one match; it holds up all connections of the process."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``multiline``."""

    pattern: str = required("Grok pattern of the lines that belong to another one.")
    what: str = required("Which one: the `previous` or the `next`.", choices=("previous", "next"))
    negate: bool = option(False, "The lines that belong to another one are those without the pattern.")
    patterns_dir: list[str] = option([], "Folders, files or wildcard paths with more patterns.")
    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    multiline_tag: str = option("multiline", "Tag of an event of several lines; empty: none.")
    max_lines: int = option(500, "An event with more lines ends, with the tag `multiline_codec_max_lines_reached`.")
    max_bytes: str = option(
        "10 MiB",
        "An event of this size ends, with the tag `multiline_codec_max_bytes_reached`. The setting max_line_bytes "
        "bounds an event as well.",
    )
    auto_flush_interval: float = option(0, "Seconds without a further line after which an event ends; 0: never.")
    ecs_compatibility: str = original_option()


class MultilineCodec:
    """Decodes messages of several lines, each an event.

    Args:
        decoder: Of the text.
        grouping: How lines become messages.
        tag: Of events of several lines.
    """

    delimiter = None
    joins_streams = False

    def __init__(self, decoder: TextDecoder, grouping: LineGrouping, tag: str) -> None:
        self._decoder, self.grouping, self._tag = decoder, grouping, tag

    def decode(self, chunk: Chunk) -> Table:
        """Return the event of a message; of nothing there is none."""
        if not chunk.data:
            return Table.of_events([], [])
        delimiter = self.grouping.delimiter
        lines = chunk.data.removesuffix(delimiter).split(delimiter)
        if delimiter == LINE_FEED:
            lines = [line.removesuffix(b"\r") for line in lines]
        event = self._decoder.event(b"\n".join(lines), chunk)
        size = sum(map(len, lines))
        tags = [self._tag] if self._tag and len(lines) > 1 else []
        if self.grouping.has_max_bytes(size):
            tags.append("multiline_codec_max_bytes_reached")
        if self.grouping.has_max_lines(len(lines)):
            tags.append("multiline_codec_max_lines_reached")
        for tag in tags:
            add_tag(event, tag)
        return Table.of_events([event], [chunk.offset])

    def encode(self, batch: Batch) -> bytes:
        """Raise ValueError: outputs write events one by one."""
        raise ValueError("the codec multiline cannot encode; use line for an output")


def _joins(opts: Options) -> Callable[[bytes], bool]:
    """Return whether a line belongs to another one. Raises ValueError if the pattern is wrong."""
    try:
        pattern = compile_grok(opts.pattern, load_library(opts.patterns_dir))
    except PatternError as error:
        raise ValueError(f"pattern '{opts.pattern}': {error}") from None
    search, decode = pattern.matcher(_TIMEOUT_S).search_line, text_decoder(opts.charset, opts.fallback_charset)

    def joins(line: bytes) -> bool:
        try:
            found = search(decode(line.removesuffix(b"\r"))) is not None
        except GrokTimeoutError:
            found = False
        return found is not opts.negate

    return joins


@plugin("codec", "multiline", Options, encodes=False)
def build(opts: Options, context: BuildContext) -> MultilineCodec:
    """Lines that belong together: `message` is all of them, with line feeds between them."""
    grouping = LineGrouping(
        _joins(opts),
        following=opts.what == "next",
        max_lines=opts.max_lines,
        max_bytes=parse_size(opts.max_bytes.replace(" ", "")),
        longest=context.settings.max_line_bytes,
        flush_seconds=opts.auto_flush_interval,
        delimiter=line_delimiter("\n", context),
    )
    decoder = TextDecoder(opts.charset, opts.fallback_charset, ecs=uses_ecs(opts))
    return MultilineCodec(decoder, grouping, opts.multiline_tag)
