"""Ask name servers for many addresses and names at once, within a time limit."""

from __future__ import annotations

import random
import selectors
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from ingestd.protocols.dns_messages import (
    AAAA,
    NO_ERROR,
    NO_SUCH_NAME,
    PTR,
    A,
    DnsError,
    Response,
    canonical,
    parse_response,
    query,
)

_PORT = 53
_MAX_DATAGRAM = 65_535
_IN_FLIGHT = 50  # questions that wait for a response; the buffers of sockets hold few hundred datagrams
_NUMBERS = 1 << 16
_MAX_LOOKUPS = _NUMBERS // 4  # of one exchange
_RESOLV_CONF = Path("/etc/resolv.conf")


class Question(NamedTuple):
    """What to look up: a host name, or the name in ``reverse_name``; its record ``PTR``, else its addresses."""

    name: str
    reverse: bool


class NoAnswer(Exception):  # noqa: N818 -- an outcome, not an error
    """No name server answered in time."""


Answer = str | None | NoAnswer
"""The address or name; None: there is none; ``NoAnswer``."""


class DnsServer(NamedTuple):
    """A name server. ``host`` is an IP address."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> DnsServer:
        """Return the server in ``10.0.0.1``, ``10.0.0.1:5353``, ``::1`` or ``[::1]:5353``. Raises ValueError."""
        if text.count(":") == 1 or text.startswith("["):
            host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", str(_PORT))
            return cls(str(ip_address(host.strip("[]"))), int(port))
        return cls(str(ip_address(text)), _PORT)


class ResolvConf(NamedTuple):
    """Where to ask, and which names to try: see resolv.conf(5)."""

    servers: tuple[DnsServer, ...]
    search: tuple[str, ...] = ()
    ndots: int = 1

    @classmethod
    def of_system(cls, path: Path = _RESOLV_CONF) -> ResolvConf:
        """Return the settings of this machine; without any, the name server of this machine."""
        servers: list[DnsServer] = []
        search: tuple[str, ...] = ()
        ndots = 1
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        for words in filter(None, (line.partition("#")[0].split() for line in lines)):
            if words[0] == "nameserver" and len(words) > 1 and is_address(words[1].partition("%")[0]):
                servers.append(DnsServer(words[1].partition("%")[0], _PORT))
            elif words[0] in ("search", "domain"):
                search = tuple(words[1:])
            elif words[0] == "options":
                found = [word[6:] for word in words if word.startswith("ndots:") and word[6:].isdigit()]
                ndots = int(found[-1]) if found else ndots
        return cls(tuple(servers) or (DnsServer("127.0.0.1", _PORT),), search, ndots)

    def candidates(self, question: Question) -> list[str]:
        """Return the full names to try for a question, in turn."""
        name = question.name
        if question.reverse or name.endswith(".") or not self.search:
            return [name.removesuffix(".")]
        searched = [f"{name}.{domain}" for domain in self.search]
        return [name, *searched] if name.count(".") >= self.ndots else [*searched, name]


def is_address(text: str) -> bool:
    """Return whether ``text`` is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class _Lookup:
    """One question under way. ``names`` are still to be tried, ``open`` are the types of records still to come."""

    question: Question
    names: list[str]
    open: set[int] = field(default_factory=set)
    found: dict[int, str] = field(default_factory=dict)
    refused: bool = False
    """Whether a server answered that it cannot."""

    @property
    def answer(self) -> Answer:
        """What is known at the end."""
        for kind in (A, AAAA, PTR):
            if kind in self.found:
                return self.found[kind]
        return NoAnswer() if self.open and not self.refused else None


class Resolver:
    """Asks name servers over UDP.

    Args:
        config: Where to ask.
        timeout_s: How long to wait for the responses to all questions.
        retries: How often to ask again, each time for ``timeout_s``, the next server first.
    """

    def __init__(self, config: ResolvConf, timeout_s: float, retries: int) -> None:
        self._config, self._timeout_s, self._attempts = config, timeout_s, retries + 1

    def ask(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Return the answer to each question, after (retries + 1) * timeout_s at the latest."""
        deadline = monotonic() + self._timeout_s * self._attempts
        answers: dict[Question, Answer] = {}
        lookups: list[_Lookup] = []
        for question in dict.fromkeys(questions):
            answers[question] = None
            if names := [name for name in self._config.candidates(question) if _can_exist(name)]:
                lookups.append(_Lookup(question, names))
        while lookups:
            self._round(lookups, deadline)
            answers |= {lookup.question: lookup.answer for lookup in lookups}
            unknown = [lookup for lookup in lookups if lookup.answer is None and len(lookup.names) > 1]
            lookups = [_Lookup(lookup.question, lookup.names[1:]) for lookup in unknown]
        return answers

    def _round(self, lookups: list[_Lookup], deadline: float) -> None:
        """Ask for the first name of each lookup."""
        for lookup in lookups:
            lookup.open = {PTR} if lookup.question.reverse else {A, AAAA}
        servers = self._config.servers
        for attempt in range(self._attempts):
            server = servers[attempt % len(servers)]
            waiting = [lookup for lookup in lookups if lookup.open]
            if waiting:
                _Exchange(server, waiting[:_MAX_LOOKUPS]).run(min(deadline, monotonic() + self._timeout_s))


def _can_exist(name: str) -> bool:
    try:
        canonical(name)
    except DnsError:
        return False
    return True


class _Asked(NamedTuple):
    lookup: _Lookup
    name: str
    kind: int


class _Exchange:
    """Questions to one server, each with a number of its own, from one port."""

    def __init__(self, server: DnsServer, lookups: list[_Lookup]) -> None:
        self._server = server
        asked = [_Asked(lookup, canonical(lookup.names[0]), kind) for lookup in lookups for kind in lookup.open]
        numbers = random.SystemRandom().sample(range(_NUMBERS), len(asked))  # none may be guessed
        self._unsent = [*zip(numbers, asked, strict=True)][::-1]
        self._asked: dict[int, _Asked] = {}

    def run(self, deadline: float) -> None:
        """Send the questions and take the responses, until all are there or it is ``deadline``."""
        family = socket.AF_INET6 if ":" in self._server.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock, selectors.DefaultSelector() as selector:
            sock.setblocking(False)
            try:
                sock.connect(self._server)  # so that responses of others are not received
                self._send(sock)
            except OSError:  # the server cannot be reached: the next attempt asks another one
                return
            selector.register(sock, selectors.EVENT_READ)
            while self._asked and (rest := deadline - monotonic()) > 0 and selector.select(rest):
                if not self._receive(sock):
                    return

    def _send(self, sock: socket.socket) -> None:
        """Send questions as long as few responses are missing."""
        while self._unsent and len(self._asked) < _IN_FLIGHT:
            number, asked = self._unsent.pop()
            if asked.kind in asked.lookup.open:
                self._asked[number] = asked
                sock.send(query(number, asked.name, asked.kind))

    def _receive(self, sock: socket.socket) -> bool:
        """Take a response and send more questions; False: there is no server at this port."""
        try:
            data = sock.recv(_MAX_DATAGRAM)
        except BlockingIOError:  # its checksum was wrong
            return True
        except OSError:
            return False
        with suppress(DnsError):  # the real one may follow
            self._take(parse_response(data))
        with suppress(BlockingIOError):  # then it is sent in the next attempt
            self._send(sock)
        return True

    def _take(self, response: Response) -> None:
        asked = self._asked.get(response.id)
        if asked is None or (response.name, response.type) != (asked.name, asked.kind):
            return
        del self._asked[response.id]
        lookup = asked.lookup
        if response.code not in (NO_ERROR, NO_SUCH_NAME):
            lookup.refused = True
            return
        lookup.open.discard(asked.kind)
        if response.answer is not None:
            lookup.found[asked.kind] = response.answer
        if asked.kind == A and response.answer is not None:  # then the other address is of no interest
            lookup.open.clear()
            self._asked = {number: other for number, other in self._asked.items() if other.lookup is not lookup}
