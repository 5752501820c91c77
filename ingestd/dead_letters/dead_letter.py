"""One dead letter: an event that nothing can be done with, why, and all that it takes to send it again.

A letter is a line of JSON. What it does not have is left out::

    {"time": "2026-11-22T10:00:00.500Z", "stage": "output", "plugin": "elasticsearch_0",
     "reason": "document_parsing_exception: failed to parse field [n] of type [long] ...", "detail": "...",
     "pipeline": "main", "config": "5b0c9e3a41d2", "input": "tcp_0",
     "origin": "mg7k2a1x9", "offset": 54000, "received": 1795341600250000000,
     "fields": {"host": "10.0.0.7", "port": 41234},
     "id": "mg7k2a1x9-00000000d2f0", "index": "logstash-2026.11.22", "size": 540, "raw": "eyJ...", "document": "eyJ..."}

Two letters with one cause have one ``reason``: it is the ``detail`` without what differs from event to event.
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

_MAX_DETAIL = 1000  # characters: a reason quotes a piece of the event, which the letter has anyway
_POSITION = re.compile(r"\[\d+:\d+\] ?")
_QUOTED = re.compile(r"""(?<!\w)(?:'.*?'|".*?")(?!\w)""", re.DOTALL)
_NUMBER = re.compile(r"(?<!HTTP )(?<!\w)\d+(?:[.,:-]\d+)*(?!\w)")


class DeadLetter(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A dead letter. Bytes (``raw``, ``document``) are kept in base64; ``content`` and ``refused`` decode them."""

    time: str
    """When the event was given up, UTC."""
    stage: str
    """One of STAGES."""
    plugin: str = ""
    """Id of the plugin that gave the event up."""
    reason: str
    """Why, the same for all events with the same cause."""
    detail: str = ""
    """Why, with what is particular to this event; empty: nothing is."""
    pipeline: str = ""
    config: str = ""
    """Which config was in force: a short hash of its text."""
    input: str = ""
    """Id of the input that took the event in."""
    origin: str = ""
    """Id of the stream that the event came in."""
    offset: int | None = None
    """Where in the stream ``raw`` begins, in bytes."""
    received: int | None = None
    """When, in nanoseconds since the epoch: an event without a time of its own gets this one."""
    fields: dict[str, Any] = {}
    """What the input knew of the sender."""
    id: str = ""
    """The event's own id, made of origin and offset; names the one of several events that ``raw`` became."""
    document_id: str = ""
    """The id that the output used, where the config gives it another."""
    index: str = ""
    size: int
    """Bytes of the event as it was received; more than ``raw`` has if only the begin of it was kept."""
    raw: str = ""
    """The bytes as they were received; of an output's letter they are empty where only ``document`` is known."""
    document: str = ""
    """What an output refused, where it is not ``raw``."""

    @property
    def content(self) -> bytes:
        """The bytes as they were received, empty if they are not known."""
        return base64.b64decode(self.raw)

    @property
    def refused(self) -> bytes:
        """What was refused: the document of an output's letter, else the bytes as received, without a line end."""
        return base64.b64decode(self.document) if self.document else self.content.rstrip(b"\r\n")

    @property
    def key(self) -> Key | None:
        """What no other letter of its pipeline has, see ``key``."""
        return key(self.stage, self.plugin, self.id, self.origin, self.offset)

    @property
    def group(self) -> Group:
        """What it has in common with others."""
        return Group(self.stage, self.plugin, self.reason)


class Group(NamedTuple):
    """Letters with one cause."""

    stage: str
    plugin: str
    reason: str

    @property
    def id(self) -> str:
        """A short name for the command line: 6 hexadecimal digits."""
        return hashlib.blake2b("\0".join(self).encode("utf-8", "replace"), digest_size=3).hexdigest()


Key = tuple[str, str, str]
"""Stage, plugin and event of a letter."""


def key(stage: str, plugin: str, event_id: str, origin: str, offset: int | None) -> Key | None:
    """Return what tells a letter from all others of its pipeline; None: nothing does.

    An event that comes again after a crash, and dies again of the same, has the same.
    """
    if event_id:
        return stage, plugin, event_id
    return None if offset is None else (stage, plugin, f"{origin}@{offset}")


_decoder = msgspec.json.Decoder(DeadLetter)
_encoder = msgspec.json.Encoder()


def encode(letter: DeadLetter) -> bytes:
    """Return a letter as one line, line end included."""
    return _encoder.encode(letter) + b"\n"


def decode(line: bytes) -> DeadLetter:
    """Return the letter of a line.

    Raises:
        ValueError: It is none.
    """
    letter = _decoder.decode(line)
    try:
        base64.b64decode(letter.raw, validate=True)
        base64.b64decode(letter.document, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    return letter


def packed(data: bytes) -> str:
    """Return bytes as ``DeadLetter`` keeps them."""
    return base64.b64encode(data).decode()


def cause(text: str) -> tuple[str, str]:
    """Return the reason and the detail of ``text``: without what varies, and as it is (empty if nothing does)."""
    text = clean(text)[:_MAX_DETAIL]
    reason = _NUMBER.sub("…", _QUOTED.sub("'…'", _POSITION.sub("", text)))
    return reason, "" if reason == text else text


def clean(text: str) -> str:
    """Return text that can be encoded, on one line."""
    return " ".join(text.encode("utf-8", "replace").decode().split())
