"""One table of all plugins. A plugin is one file: typed options, the fields it touches, and ``build()``.

The reference docs, the messages of ``check`` and the compiler's projection are made from it.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

from ingestd.config.errors import Span
from ingestd.dead_letters.base import DeadLetters, NullDeadLetters
from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import Rows, Table
from ingestd.plugins.pipeline_bus import PipelineBus
from ingestd.plugins.stream_fields import FieldNames
from ingestd.settings import Settings

Kind = Literal["input", "codec", "filter", "output"]
Outcome = Literal["one", "one_or_none", "any_number"]
"""How many events leave a filter for each that enters it."""

FilterFn = Callable[[Event], bool]
"""Changes the event; returns True if it succeeded, so that the common options (``add_field`` ...) run.

It raises if the event cannot be processed, before it sets a field; the generated pipeline then adds the plugin's
failure tag, counts, and continues with the next filter. Outcome ``one_or_none``: True drops the event.
"""

TimedFilterFn = Callable[[Event, int], bool]
"""A ``FilterFn`` that is also given when the event was received: nanoseconds since the epoch. See ``timed``."""

ColumnsFn = Callable[[Table, Rows, int], Rows]
"""A filter that works on columns: see ``columns``. It changes some rows, and returns those for which it succeeded.

Its last argument is when the events were received, in nanoseconds since the epoch. If it raises, it is called for each
row alone, as if the first call had not been.
"""

ExpandFn = Callable[[Event], list[Event]]
"""Outcome ``any_number``: returns the events that replace the given one, which may be among them."""


@dataclass(frozen=True, slots=True)
class Touch:
    """The fields that a plugin reads, sets and removes, as field references.

    ``unknown``: why the plugin cannot say, as a text; then whole records are decoded. ``whole``: a
    record with one of these fields is decoded in full. ``foreign``: fields that it reads or sets only in such records
    and in those without ``@version``, which codecs always decode in full.
    """

    reads: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    removes: frozenset[str] = frozenset()
    unknown: str = ""
    foreign: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()

    def __or__(self, other: Touch) -> Touch:
        return Touch(
            self.reads | other.reads,
            self.sets | other.sets,
            self.removes | other.removes,
            "; ".join(reason for reason in (self.unknown, other.unknown) if reason),
            self.foreign | other.foreign,
            self.whole | other.whole,
        )

    def tops(self) -> frozenset[str]:
        """Return the top-level names of all fields touched."""
        return frozenset(FieldRef.named(name).top for name in self.reads | self.sets | self.removes)


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a plugin may use while it is built.

    ``writer_id``: which of several processes this is, for files that each of them needs. ``fields``: the top-level
    names that a codec must decode, None: all. ``reads``: those that a codec gives records of their stream.
    ``common_options(event)`` runs the common options of the filter being built; only filters whose outcome is not
    ``one`` call it themselves. ``again``: the events have been through filters before, which have left their fields;
    what is captured once more takes the place of what is there. ``spans``: where the values of the plugin's options
    are in the config. ``bus``: how the pipelines of a process send events to each other.
    """

    plugin_id: str = ""
    folder: Path = field(default_factory=Path.cwd)
    fields: frozenset[str] | None = None
    whole: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    common_options: Callable[[Event], None] = lambda event: None
    codec: Any = None
    pipeline_id: str = "main"
    writer_id: str = "w0"
    dead_letters: DeadLetters = field(default_factory=NullDeadLetters)
    settings: Settings = field(default_factory=Settings)
    again: bool = False
    spans: Mapping[str, Span] = field(default_factory=dict)
    bus: PipelineBus = field(default_factory=PipelineBus)
    delimiter: bytes = b""
    """What ends a line by an option of the input; empty: what the codec says."""


class OptionError(ValueError):
    """An option cannot work. ``value``: the text in an option that is meant; ``hint``: what to do."""

    def __init__(self, message: str, value: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.value, self.hint = value, hint


class OptionWarning(NamedTuple):
    """What may be a mistake in an option: ``length`` characters at ``start`` of its value, 0: the whole value.

    ``text`` says what it is, ``hint`` what to write instead. ``value``: the text in an array or hash that is meant.
    """

    option: str
    text: str
    hint: str
    start: int = 0
    length: int = 0
    value: str = ""


class LegacyOption(NamedTuple):
    """An option of Logstash's, of this version or an earlier one, that is accepted although it is not one of ours.

    ``successor``: the option that takes its value, ``values`` translated; empty: it has no effect. ``note``: what to
    do, or why that is so, as the end of a sentence. ``refused``: without its effect the events would be others, so it
    is an error. ``current``: this version of Logstash still has it. ``silent``: there is nothing to do about it.
    """

    note: str = ""
    successor: str = ""
    values: Mapping[str, str] = MappingProxyType({})
    refused: bool = False
    silent: bool = False
    current: bool = False


Legacy = Mapping[str, LegacyOption]
NO_LEGACY: Legacy = MappingProxyType({})


def replaced(successor: str, *, silent: bool = False, **values: str) -> LegacyOption:
    """Return an option that has another name now; ``values``: what its values are called."""
    return LegacyOption(successor=successor, values=values, silent=silent)


def ignored(note: str) -> LegacyOption:
    """Return an option that has no effect."""
    return LegacyOption(note)


def refused(note: str) -> LegacyOption:
    """Return an option that is an error, as in Logstash, and what to do instead."""
    return LegacyOption(note, refused=True)


def unsupported(note: str) -> LegacyOption:
    """Return an option that Logstash has and that is an error here, and what to do instead."""
    return LegacyOption(note, refused=True, current=True)


TraceDetails = Callable[[Any], Callable[[Event], Iterable[str]]]
"""Options of a filter to a function that says how it will judge an event, which it does not change: sentences such as
which of several patterns matches. It may be slow, and may raise."""


def no_option_warnings(options: Any) -> Iterable[OptionWarning]:
    """Return nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """One plugin: its options (a dataclass), how to build it and what it touches with given options."""

    kind: Kind
    name: str
    options: type[Any]
    build: Callable[..., Any]
    doc: str
    touches: Callable[[Any], Touch]
    outcome: Outcome = "one"
    failure_tag: str = ""
    columns: bool = False
    """Whether a filter works on columns (``ColumnsFn``)."""
    timed: bool = False
    """Whether a filter of events is given the time of receipt (``TimedFilterFn``)."""
    codec: str = ""
    """Name of the default codec of an input or output; empty: it has no codec."""
    option_warnings: Callable[[Any], Iterable[OptionWarning]] = no_option_warnings
    """What `ingestd check` says about options that work but may be a mistake."""
    legacy: Legacy = field(default_factory=dict)
    """Options of Logstash's that are accepted besides."""
    trace_details: TraceDetails | None = None
    """What `ingestd trace` says about an event that a filter gets."""
    listens: bool = False
    """Whether an input reads connections that the supervisor accepts for it (``SocketInput``)."""
    journaled: bool = False
    """Whether an input needs a journal on disk, as it continues where that ends (``ResumingInput``)."""
    stream_fields: Callable[[Any], FieldNames] | None = None
    """Options of an input to the fields that its events get of their stream; None: those it names itself."""
    stream: bool = False
    """Whether an input reads a stream that must be split into frames; else every message is one frame."""
    delimiter: Callable[[Any], bytes] | None = None
    """Options of an input to what ends a line of its stream, see ``BuildContext``; None: it has no such option."""
    decodes: bool = True
    """Whether a codec can decode, so that inputs can use it."""
    encodes: bool = True
    """Whether a codec can encode, so that outputs can use it."""
    inflates: bool = False
    """Whether an input decompresses what it reads, so that codecs get text."""


REGISTRY: dict[tuple[Kind, str], PluginSpec] = {}

_Build = TypeVar("_Build", bound=Callable[..., Any])


def option(default: Any, doc: str, *, choices: tuple[str, ...] = (), name: str = "") -> Any:
    """Declare one option: its default, its documentation (a sentence), the values allowed if not all are.

    ``name`` is the option's name in the config if that is not a Python identifier.
    """
    metadata = {"doc": doc, "choices": choices, "name": name}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def required(doc: str, *, choices: tuple[str, ...] = (), name: str = "") -> Any:
    """Declare one option without a default: the config must set it."""
    return dataclasses.field(metadata={"doc": doc, "choices": choices, "name": name})


def option_name(declared: dataclasses.Field[Any]) -> str:
    """Return the name of an option in the config."""
    return declared.metadata["name"] or declared.name


def touches_nothing(options: Any) -> Touch:
    """Return the empty ``Touch``."""
    return Touch()


def _register(spec: PluginSpec) -> None:
    if (spec.kind, spec.name) in REGISTRY:
        raise RuntimeError(f"{spec.kind} {spec.name!r} is registered twice")
    REGISTRY[spec.kind, spec.name] = spec


def filter_plugin(  # noqa: PLR0913 -- declarations, each by name
    name: str,
    options: type,
    *,
    touches: Callable[[Any], Touch],
    outcome: Outcome = "one",
    failure_tag: str = "",
    columns: bool = False,
    timed: bool = False,
    option_warnings: Callable[[Any], Iterable[OptionWarning]] = no_option_warnings,
    legacy: Legacy = NO_LEGACY,
    trace_details: TraceDetails | None = None,
) -> Callable[[_Build], _Build]:
    """Register the decorated ``build(options, context)`` as the filter ``name``.

    ``build`` returns a ``ColumnsFn`` if ``columns``, a ``FilterFn``, a ``TimedFilterFn`` if it is ``timed``, or an
    ``ExpandFn``, as ``outcome`` says; what can fail at start fails there. ``failure_tag`` is added to an event for
    which the function raises (default ``_<name>_error``).
    """

    def register(build: _Build) -> _Build:
        tag = failure_tag or f"_{name}_error"
        doc = build.__doc__ or ""
        spec = PluginSpec("filter", name, options, build, doc, touches, outcome, tag, columns, timed)
        spec = dataclasses.replace(spec, option_warnings=option_warnings, legacy=legacy)
        _register(dataclasses.replace(spec, trace_details=trace_details))
        return build

    return register


def plugin(  # noqa: PLR0913 -- declarations, each by name
    kind: Literal["input", "codec", "output"],
    name: str,
    options: type,
    *,
    touches: Callable[[Any], Touch] = touches_nothing,
    codec: str = "",
    stream: bool = False,
    listens: bool = False,
    journaled: bool = False,
    stream_fields: Callable[[Any], FieldNames] | None = None,
    delimiter: Callable[[Any], bytes] | None = None,
    decodes: bool = True,
    encodes: bool = True,
    inflates: bool = False,
    option_warnings: Callable[[Any], Iterable[OptionWarning]] = no_option_warnings,
    legacy: Legacy = NO_LEGACY,
) -> Callable[[_Build], _Build]:
    """Register the decorated ``build(options, context)`` as an input, codec or output."""

    def register(build: _Build) -> _Build:
        doc = build.__doc__ or ""
        spec = PluginSpec(kind, name, options, build, doc, touches, codec=codec, stream=stream, decodes=decodes)
        spec = dataclasses.replace(spec, encodes=encodes, inflates=inflates)
        spec = dataclasses.replace(spec, listens=listens, journaled=journaled, stream_fields=stream_fields)
        _register(dataclasses.replace(spec, delimiter=delimiter, option_warnings=option_warnings, legacy=legacy))
        return build

    return register


_FOLDERS: dict[Kind, str] = {"input": "inputs", "codec": "codecs", "filter": "filters", "output": "outputs"}


def find(kind: Kind, name: str) -> PluginSpec | None:
    """Return the plugin, importing only its own file, or None if there is none of this name."""
    if (kind, name) not in REGISTRY and name in names(kind):
        importlib.import_module(f"ingestd.plugins.{_FOLDERS[kind]}.{name}")
    return REGISTRY.get((kind, name))


def names(kind: Kind) -> list[str]:
    """Return the names of all plugins of a kind, sorted: the files in its folder."""
    package = importlib.import_module(f"ingestd.plugins.{_FOLDERS[kind]}")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def load_all() -> list[PluginSpec]:
    """Import every plugin and return them all, ordered by kind and name."""
    return [spec for kind in _FOLDERS for name in names(kind) if (spec := find(kind, name)) is not None]
