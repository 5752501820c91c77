"""``dns``: look up the addresses of host names, and the names of addresses.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-dns and the plugin's version 3.2.
Differences: all names of a chunk of events are asked for at once; caches are on by default; while no name server
answers, lookups pause for ``failed_cache_ttl``, so that events are not held up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.logs import get_logger
from ingestd.plugins.filters._resolver import Answer, DnsServer, NoAnswer, Question, ResolvConf, Resolver, is_address
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option
from ingestd.protocols.dns_messages import reverse_name

log = get_logger(__name__)

_MAX_CHARS = 255  # of a name
_HOSTS = Path("/etc/hosts")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``dns``."""

    resolve: list[FieldRef] = option([], "Fields with host names to look up the addresses of.")
    reverse: list[FieldRef] = option([], "Fields with IP addresses to look up the names of.")
    action: str = option(
        "append", "Whether what is found is added to the field's value or replaces it.", choices=("append", "replace")
    )
    nameserver: Any = option(
        None,
        "Name servers to ask, as `10.0.0.1` or `10.0.0.1:5353`; or a hash of `address`, `search` (domains to add to"
        " names) and `ndots`. Default: those of `/etc/resolv.conf`.",
    )
    hostsfile: list[str] = option(
        [],
        "Files with names that need no name server, read at start; default: `/etc/hosts`, but not with `nameserver`.",
    )
    timeout: float = option(0.5, "How long to wait for responses, in seconds.")
    max_retries: int = option(2, "How often to ask again, each time for `timeout`.")
    tag_on_timeout: list[str] = option(["_dnstimeout"], "Tags for an event when no name server answers.")
    hit_cache_size: int = option(10_000, "How many answers to cache; 0: none.")
    hit_cache_ttl: float = option(60.0, "How long to cache an answer, in seconds.")
    failed_cache_size: int = option(10_000, "How many names without an answer to cache; 0: none.")
    failed_cache_ttl: float = option(5.0, "How long to cache that there is no answer, in seconds.")


def _touches(options: Options) -> Touch:
    fields = frozenset(ref.text for ref in (*options.resolve, *options.reverse))
    return Touch(reads=fields | {"tags"}, sets=fields | {"tags"})


@filter_plugin("dns", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Look up addresses and names. Only if all are found the common options run.

    An array must have one item, to which what is found is added.
    """
    find = _Lookups(options).find
    replace = options.action == "replace"
    steps = [(checked(ref), False) for ref in options.resolve] + [(checked(ref), True) for ref in options.reverse]

    def dns(table: Table, rows: Rows, received_ns: int) -> Rows:
        left = rows
        for ref, reverse in steps:
            values = table.pick(table.values(ref), left)
            held = dict(zip(left, values, strict=True))
            asked = {row: _question(value, reverse=reverse) for row, value in held.items() if not _is_missing(value)}
            answers = find(question for question in asked.values() if question is not None)
            put, failed = table.setter(ref), set()
            for row, question in asked.items():
                answer = None if question is None else answers[question]
                if isinstance(answer, str):
                    put(row, _with(held[row], answer, replace=replace))
                    continue
                failed.add(row)
                for tag in options.tag_on_timeout if isinstance(answer, NoAnswer) else ():
                    table.add_tag(row, tag)
            left = [row for row in left if row not in failed]
        return left

    return dns


def _is_missing(value: Any) -> bool:
    return value is ABSENT or value is None


def _question(value: Any, *, reverse: bool) -> Question | None:
    """Return what to ask for the value of a field, None if there is nothing to ask."""
    if type(value) is list:
        value = value[0] if len(value) == 1 else None
    if type(value) is not str or not 0 < len(value) <= _MAX_CHARS:
        return None
    if not reverse:
        return Question(value.strip().lower(), reverse=False)
    try:
        return Question(reverse_name(value.strip()), reverse=True)
    except ValueError:
        return None


def _with(value: Any, answer: str, *, replace: bool) -> Any:
    if type(value) is list:
        return [answer] if replace else [*value, answer]
    return answer if replace else [value, answer]


class _Cache:
    """Answers for a time; the oldest make room."""

    def __init__(self, size: int, ttl_s: float) -> None:
        self._size, self._ttl_s = size, ttl_s
        self._held: dict[Question, tuple[float, str | None]] = {}

    def get(self, question: Question, now: float) -> str | type[_Cache] | None:
        """Return the answer, this class if there is none."""
        expires, answer = self._held.get(question, (0.0, None))
        return answer if expires > now else _Cache

    def put(self, question: Question, answer: str | None, now: float) -> None:
        """Keep an answer."""
        self._held.pop(question, None)
        if self._size > 0:
            while len(self._held) >= self._size:
                del self._held[next(iter(self._held))]
            self._held[question] = (now + self._ttl_s, answer)


class _Lookups:
    """Finds answers in hosts files, caches and name servers, in this order."""

    def __init__(self, options: Options) -> None:
        if options.timeout <= 0 or options.max_retries < 0:
            raise ValueError("timeout must be positive, and max_retries not negative")
        system = [] if options.nameserver is not None or not _HOSTS.exists() else [_HOSTS]
        self._known = _hosts([Path(path) for path in options.hostsfile] or system)
        self._resolver = Resolver(_config(options.nameserver), options.timeout, options.max_retries)
        self._hits = _Cache(options.hit_cache_size, options.hit_cache_ttl)
        self._misses = _Cache(options.failed_cache_size, options.failed_cache_ttl)
        self._pause_s, self._paused_until = options.failed_cache_ttl, 0.0

    def find(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Return the answer to each question."""
        answers: dict[Question, Answer] = {}
        unknown: list[Question] = []
        now = monotonic()
        for question in dict.fromkeys(questions):
            answer = self._at_hand(question, now)
            if answer is _Cache:
                unknown.append(question)
            else:
                answers[question] = answer  # type: ignore[assignment]
        return answers | self._asked(unknown, now) if unknown else answers

    def _at_hand(self, question: Question, now: float) -> str | type[_Cache] | None:
        known = self._known.get(question)
        if known is not None or (not question.reverse and is_address(question.name)):
            return known or question.name  # an address is its own
        hit = self._hits.get(question, now)
        return self._misses.get(question, now) if hit is _Cache else hit

    def _asked(self, questions: list[Question], now: float) -> dict[Question, Answer]:
        if now < self._paused_until:
            return dict.fromkeys(questions, NoAnswer())
        answers = self._resolver.ask(questions)
        now = monotonic()
        for question, answer in answers.items():
            if isinstance(answer, str):
                self._hits.put(question, answer, now)
            elif answer is None:
                self._misses.put(question, None, now)
        if all(isinstance(answer, NoAnswer) for answer in answers.values()):
            log.warning("no name server answers; the filter dns pauses", seconds=self._pause_s)
            self._paused_until = now + self._pause_s
        return answers


def _hosts(paths: Iterable[Path]) -> dict[Question, str]:
    """Return what hosts files know; the first line with a name or address counts."""
    known: dict[Question, str] = {}
    for path in paths:
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError as error:
            raise ValueError(f"hostsfile: cannot read {path}: {error.strerror}") from None
        for address, *names in filter(None, (line.partition("#")[0].split() for line in lines)):
            if is_address(address) and names:
                known.setdefault(Question(reverse_name(address), reverse=True), names[0])
                for name in names:
                    known.setdefault(Question(name.lower(), reverse=False), address)
    return known


def _config(given: Any) -> ResolvConf:
    """Return the configuration in the option ``nameserver``. Raises ValueError if it is wrong."""
    if given is None:
        return ResolvConf.of_system()
    described = given if isinstance(given, dict) else {"address": given}
    if unknown := described.keys() - {"address", "search", "ndots"}:
        raise ValueError(f"nameserver: unknown key {min(unknown)!r}; it has address, search and ndots")
    try:
        servers = tuple(DnsServer.of(str(text)) for text in _listed(described.get("address", [])))
        ndots = int(described.get("ndots", 1))
    except ValueError as error:
        raise ValueError(f"nameserver: {error}") from None
    if not servers:
        raise ValueError("nameserver needs the address of a name server")
    return ResolvConf(servers, tuple(str(domain) for domain in _listed(described.get("search", []))), ndots)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
