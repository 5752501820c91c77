"""Checks of what arrives: kinds of records, their format, their times, the addresses of clients."""

from __future__ import annotations

import datetime
import ipaddress
import statistics
from collections import defaultdict
from collections.abc import Iterator

from ingestd.diagnosis.facts import Facts, RecentRecords, Sample
from ingestd.diagnosis.finding import Finding, Status
from ingestd.recipes import (
    ACCESS_LOGGERS,
    CLIENT,
    CLIENT_LOGGER,
    CLIENT_MIDDLEWARE,
    CLIENT_PROXIES,
    GUNICORN_CLIENT,
    NGINX_CLIENT,
    UWSGI_FORMAT,
    logging_entry,
    recipe,
)

MIN_VISITS = 50
"""Fewer visits from a single address may well be one person."""

_SKEW_S = 120.0
_ZONE_STEP_S = 900.0  # offsets of time zones are multiples of 15 minutes
_MIN_ZONE_S = 1800.0
_ZONE_TOLERANCE_S = 90.0
_ZONE_CHANGE_S = 7 * 86_400.0
"""How long a change of the zone of days is reported."""
_MIN_SAMPLES = 3


def check_records(facts: Facts) -> Iterator[Finding]:
    """Report how many events of which kind arrived in the last hour."""
    records = facts.records
    if records is None:
        return
    if records.total:
        others = records.total - records.access_total - records.django
        counts = {"total": records.total, "access": records.access_total, "django": records.django, "others": others}
        yield Finding(Status.OK, "records.arriving", {name: f"{count:,}" for name, count in counts.items()})
    elif not facts.fills_store:
        return
    elif records.newest:
        yield Finding(Status.WARNING, "records.quiet", {"newest": records.newest[:19].replace("T", " ") + " UTC"})
    else:
        yield Finding(Status.FIX, "records.none")


def check_access(facts: Facts) -> Iterator[Finding]:
    """Report whether access lines arrive, and each request once."""
    records = facts.records
    if records is None or not records.total:
        return
    if not records.access_total and records.future:
        return  # they may be among those with a time in the future
    if not (records.access_total or records.django or records.python):
        return  # nothing comes from a site
    if not records.access_total:
        values = {"total": f"{records.total:,}", "django": f"{records.django:,}", "recipe": _missing(facts.app_servers)}
        yield Finding(Status.FIX, "access.missing", values)
        return
    if records.twice:
        yield Finding(Status.WARNING, "access.twice", {"loggers": ", ".join(records.twice)})
    if records.twice_client:
        yield Finding(Status.WARNING, "access.twice_client", {"loggers": ", ".join(records.twice_client)})
    if not (records.twice or records.twice_client):
        senders = sorted(name or "a web server" for name in records.access)
        yield Finding(Status.OK, "access.arriving", {"loggers": ", ".join(senders)})


def _missing(app_servers: tuple[str, ...]) -> str:
    """Return what to add for our own client and for the servers that run here, or for the usual ones.

    It is the same in every language.
    """
    known = [name for name in app_servers if name in _ADVICE] or ["gunicorn", "uvicorn", "daphne", "uwsgi"]
    return "\n".join(_ADVICE[name] for name in (CLIENT, *known))


def _advice(server: str, *lines: str) -> str:
    return "\n    ".join([f"{recipe(server).title}:", *lines])


def _in_logging(server: str) -> str:
    return f'LOGGING["loggers"]: {logging_entry(server)}'


def _start(server: str) -> str:
    return "$ " + recipe(server).snippets[1].text.strip()


_ADVICE = {
    CLIENT: _advice(CLIENT, CLIENT_MIDDLEWARE),
    "gunicorn": _advice("gunicorn", _in_logging("gunicorn"), _start("gunicorn")),
    "uvicorn": _advice("uvicorn", _in_logging("uvicorn"), _start("uvicorn")),
    "runserver": _advice("runserver", _in_logging("runserver")),
    "daphne": _advice("daphne", _start("daphne")),
    "uwsgi": _advice("uwsgi", "req-logger = file:/var/log/mysite/access.log", f"log-format = {UWSGI_FORMAT}"),
}
assert ACCESS_LOGGERS.keys() <= _ADVICE.keys()  # noqa: S101 -- whatever has a logger of access lines can be advised


def check_format(facts: Facts) -> Iterator[Finding]:
    """Report in which version of python-logstash's format records come."""
    if not facts.samples:
        return
    versions = sorted({sample.version for sample in facts.samples if sample.version is not None})
    if not versions:
        yield Finding(Status.OK, "format.other")
    elif len(versions) > 1:
        yield Finding(Status.OK, "format.both")
    else:
        yield Finding(Status.OK, "format.version", {"version": str(versions[0])})


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Report senders whose timestamps are far from the time of receipt, and events of the future."""
    differences = _differences(facts.samples)
    late = {host for host, found in differences.items() if _is_sent_later(found)}
    medians = {host: statistics.median(found) for host, found in differences.items()}
    worst = max((abs(seconds) for host, seconds in medians.items() if host not in late), default=0.0)
    for host, seconds in medians.items():
        if abs(seconds) > _SKEW_S and host not in late:
            yield _wrong_clock(host, seconds)
    if late:
        yield Finding(Status.OK, "clock.old", {"hours": f"{max(-medians[host] for host in late) / 3600:,.0f}"})
    if facts.records is not None and facts.records.future and worst <= _SKEW_S:
        values = {"count": f"{facts.records.future:,}", "since": f"{facts.now:%Y-%m-%dT%H:%M:%SZ}"}
        yield Finding(Status.WARNING, "clock.future", values)
    elif facts.samples and worst <= _SKEW_S and not late:
        yield Finding(Status.OK, "clock.good", {"seconds": str(round(worst) + 1), "zone": facts.index_timezone})


def check_zone(facts: Facts) -> Iterator[Finding]:
    """Report settings with another zone of days than the daemon's, and a daemon that has changed it lately."""
    if (stored := facts.stored_zone) is None:
        return
    if stored.zone != facts.index_timezone:
        yield Finding(Status.WARNING, "zone.differs", {"zone": facts.index_timezone, "daemon": stored.zone})
    elif stored.previous and facts.now.timestamp() - stored.changed_at < _ZONE_CHANGE_S:
        changed = datetime.datetime.fromtimestamp(stored.changed_at, datetime.UTC)
        values = {"time": f"{changed:%Y-%m-%dT%H:%M:%SZ}", "before": stored.previous, "zone": stored.zone}
        yield Finding(Status.WARNING, "zone.changed", values)


def _is_sent_later(differences: list[float]) -> bool:
    """Return whether records were sent later than they were made, as in a backfill: that tells nothing of a clock.

    A wrong clock is off by the same time in all of them: one that was reset, by years.
    """
    first, median, third = statistics.quantiles(differences, n=4)
    return median < -_SKEW_S and third - first > _SKEW_S


def _differences(samples: tuple[Sample, ...]) -> dict[str, list[float]]:
    """Return how many seconds the timestamps of each host are ahead of the receipt."""
    by_host: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.timestamp is not None:
            by_host[sample.host].append((sample.timestamp - sample.received).total_seconds())
    return {host: found for host, found in sorted(by_host.items()) if len(found) >= _MIN_SAMPLES}


def _wrong_clock(host: str, seconds: float) -> Finding:
    direction = "ahead" if seconds > 0 else "behind"
    steps = round(seconds / _ZONE_STEP_S)
    is_zone = abs(seconds) <= _MAX_ZONE_S and abs(seconds) >= _MIN_ZONE_S
    if is_zone and abs(seconds - steps * _ZONE_STEP_S) < _ZONE_TOLERANCE_S:
        hours = f"{abs(steps) / 4:g}"
        return Finding(Status.FIX, "clock.zone", {"host": host, "hours": hours, "direction": direction})
    minutes = f"{abs(seconds) / 60:,.0f}"
    direction = "ahead of" if seconds > 0 else "behind"
    return Finding(Status.WARNING, "clock.skew", {"host": host, "minutes": minutes, "direction": direction})


_MAX_ZONE_S = datetime.timedelta(hours=14).total_seconds()


def check_clients(facts: Facts) -> Iterator[Finding]:
    """Report whether the addresses of visits are those of clients, or of a proxy."""
    records = facts.records
    if records is None or records.access_total - records.access.get("django.server", 0) < MIN_VISITS:
        return
    if not records.clients:
        yield Finding(Status.WARNING, "clients.missing")
    elif (proxy := _single_proxy(records)) is not None:
        values = {"total": f"{records.access_total:,}", "address": proxy}
        values |= {"nginx": NGINX_CLIENT, "servers": "\n".join(_address_advice(records))}
        yield Finding(Status.WARNING, "clients.single", values)
    else:
        yield Finding(Status.OK, "clients.good", {"count": f"{len(records.clients):,}"})


def _address_advice(records: RecentRecords) -> Iterator[str]:
    """Yield the setting by which what logs the visits takes the address from a proxy; the same in every language."""
    if CLIENT_LOGGER in records.access:
        yield f"{CLIENT}: {CLIENT_PROXIES}"
    if records.access.keys() - {CLIENT_LOGGER}:
        yield f"gunicorn: {GUNICORN_CLIENT}"
        yield "uvicorn, Daphne: --proxy-headers"


def check_senders(facts: Facts) -> Iterator[Finding]:
    """Report clients that speak something else than the inputs they connect to."""
    if facts.senders is None:
        return
    for clients in facts.senders:
        values = {"input": clients.input, "count": f"{clients.connections:,}"}
        yield Finding(Status.WARNING, f"senders.{clients.kind}", values)
    if not facts.senders:
        yield Finding(Status.OK, "senders.good")


def check_dropped(facts: Facts) -> Iterator[Finding]:
    """Report datagrams that the kernel has dropped: their senders do not learn of it."""
    for dropped in facts.dropped:
        yield Finding(Status.WARNING, "datagrams.dropped", {"input": dropped.input, "count": f"{dropped.datagrams:,}"})


def _single_proxy(records: RecentRecords) -> str | None:
    """Return the private address that all visits have, None if there are others."""
    if len(records.clients) != 1:
        return None
    [address] = records.clients
    try:
        return address if ipaddress.ip_address(address).is_private else None
    except ValueError:
        return None
