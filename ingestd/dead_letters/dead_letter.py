"""One dead letter: an event that cannot be processed or delivered, why, and all that it takes to replay it.

A dead letter is a line of JSON. What it does not have is left out::

    {"time": "2026-11-22T10:00:00.500Z", "stage": "output", "plugin": "elasticsearch_0",
     "reason": "document_parsing_exception: failed to parse field [n] of type [long] ...", "detail": "...",
     "pipeline": "main", "config": "5b0c9e3a41d2", "input": "tcp_0",
     "origin": "mg7k2a1x9", "offset": 54000, "received": 1795341600250000000,
     "fields": {"host": "10.0.0.7", "port": 41234},
     "id": "mg7k2a1x9-00000000d2f0", "index": "logstash-2026.11.22", "size": 540, "raw": "eyJ...", "document": "eyJ..."}

Two dead letters with one cause have one ``reason``: it is the ``detail`` without what differs from event to event.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, Literal, NamedTuple

import msgspec

Stage = Literal["framing", "codec", "filter", "output"]
STAGES: tuple[Stage, ...] = ("framing", "codec", "filter", "output")

_MAX_DETAIL = 1000  # characters: a reason may quote much of the event, which the dead letter has anyway
_POSITION = re.compile(r"\[\d+:\d+\] ?")
_QUOTED = re.compile(r"""(?<!\w)(?:'.*?'|".*?")(?!\w)""", re.DOTALL)
_NUMBER = re.compile(r"(?<!HTTP )(?<!\w)\d+(?:[.,:-]\d+)*(?!\w)")


class DeadLetter(msgspec.Struct, omit_defaults=True, kw_only=True, rename={"stream_id": "origin"}):
    """A dead letter. In its JSON, ``stream_id`` is called ``origin``.

    Bytes (``raw``, ``document``) are kept in base64; ``content`` and ``refused`` decode them.
    """

    time: str
    """When the event was given up, UTC."""
    stage: str
    """One of STAGES."""
    plugin: str = ""
    """Id of the plugin that gave the event up."""
    reason: str
    """Why, the same for all events with the same cause."""
    detail: str = ""
    """The reason with the values of this event; empty if there are none."""
    pipeline: str = ""
    config: str = ""
    """The version of the config: a short hash of its text."""
    input: str = ""
    """Id of the input that received the event."""
    stream_id: str = ""
    """Id of the stream that the event came in."""
    offset: int | None = None
    """Where ``raw`` starts in the stream, in bytes."""
    received: int | None = None
    """When it was received, in nanoseconds since the epoch; the time of an event that has none of its own."""
    fields: dict[str, Any] = {}
    """What the input knew about the sender."""
    id: str = ""
    """The event's id, made of stream id and offset; if ``raw`` became several events, it says which one."""
    document_id: str = ""
    """The id that the output used, if the config gives another one."""
    index: str = ""
    size: int
    """Bytes of the event as received; more than ``raw`` has if only its start was kept."""
    raw: str = ""
    """The bytes as received; empty if an output gave the event up and only ``document`` is known."""
    document: str = ""
    """What an output refused, if it differs from ``raw``."""

    @property
    def content(self) -> bytes:
        """The bytes as received, empty if they are not known."""
        return base64.b64decode(self.raw)

    @property
    def refused(self) -> bytes:
        """What was refused: the document that an output refused, else the bytes as received, without a line end."""
        return base64.b64decode(self.document) if self.document else self.content.rstrip(b"\r\n")

    @property
    def key(self) -> Key | None:
        """Unique among the dead letters of its pipeline, see ``key``."""
        return key(self.stage, self.plugin, self.id, self.stream_id, self.offset)

    @property
    def group(self) -> DeadLetterGroup:
        """Stage, plugin and reason: what it may share with others."""
        return DeadLetterGroup(self.stage, self.plugin, self.reason)


class DeadLetterGroup(NamedTuple):
    """Dead letters with one cause."""

    stage: str
    plugin: str
    reason: str

    @property
    def id(self) -> str:
        """A short name for the command line: 6 hexadecimal digits."""
        return hashlib.blake2b("\0".join(self).encode("utf-8", "replace"), digest_size=3).hexdigest()


Key = tuple[str, str, str]
"""Stage, plugin and event of a dead letter."""


def key(stage: str, plugin: str, event_id: str, stream_id: str, offset: int | None) -> Key | None:
    """Return what identifies a dead letter within its pipeline, None if nothing does.

    An event that is read again after a crash and fails for the same reason gets the same key.
    """
    if event_id:
        return stage, plugin, event_id
    return None if offset is None else (stage, plugin, f"{stream_id}@{offset}")


_decoder = msgspec.json.Decoder(DeadLetter)
_encoder = msgspec.json.Encoder()


def encode(dead_letter: DeadLetter) -> bytes:
    """Return a dead letter as one line, line end included."""
    return _encoder.encode(dead_letter) + b"\n"


def decode(line: bytes) -> DeadLetter:
    """Return the dead letter of a line.

    Raises:
        ValueError: The line is not a dead letter.
    """
    dead_letter = _decoder.decode(line)
    try:
        base64.b64decode(dead_letter.raw, validate=True)
        base64.b64decode(dead_letter.document, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    return dead_letter


def to_base64(data: bytes) -> str:
    """Return bytes as ``DeadLetter`` keeps them: in base64."""
    return base64.b64encode(data).decode()


def cause(text: str) -> tuple[str, str]:
    """Return reason and detail of ``text``: without what varies between events, and as it is (empty if equal)."""
    text = clean(text)[:_MAX_DETAIL]
    reason = _NUMBER.sub("…", _QUOTED.sub("'…'", _POSITION.sub("", text)))
    return reason, "" if reason == text else text


def clean(text: str) -> str:
    """Return the text on one line, without lone surrogates."""
    return " ".join(text.encode("utf-8", "replace").decode().split())
