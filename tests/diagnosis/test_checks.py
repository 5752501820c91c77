"""Each check: facts, and the findings about them."""

from __future__ import annotations

import datetime as dt
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestd.diagnosis import record_checks, system_checks
from ingestd.diagnosis.checks import CHECKS, diagnose
from ingestd.diagnosis.facts import (
    BackupFacts,
    Disk,
    DroppedDatagrams,
    Facts,
    GeoIp,
    KafkaState,
    RecentRecords,
    Rights,
    Sample,
    UnsealedDay,
    UnsupportedClients,
)
from ingestd.diagnosis.finding import Finding, Status, diagnosis_document, is_healthy
from ingestd.diagnosis.messages import FIXES, LANGUAGES, SENTENCES, sentence
from ingestd.lifecycle.retention import Rules
from ingestd.plugins.inputs._tcp_senders import ADVICE
from ingestd.recipes import CLIENT_LOGGER
from ingestd.settings import StoredZone
from ingestd.stores.base import IndexInfo
from ingestd.stores.elastic.field_limit import FullIndex
from ingestd.stores.elastic.server_state import SearchServer

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)
NOTHING = Facts(NOW, NOW.date())
DAY = dt.timedelta(days=1)
ZONE_DIFFERS = {"zone.differs": "warning"}
FULL = FullIndex("logstash-2026.11.22", 2000, 2000, rejects=False)


def records(**values: Any) -> Facts:
    return replace(NOTHING, records=RecentRecords(**values))


def samples(hours: float = 0, version: int | None = 1, host: str = "web1", count: int = 3) -> tuple[Sample, ...]:
    return (Sample(NOW, NOW + dt.timedelta(hours=hours), version, host),) * count


def days(*ages: int) -> tuple[IndexInfo, ...]:
    found = [NOW.date() - age * DAY for age in ages]
    return tuple(IndexInfo(f"logstash-{day:%Y.%m.%d}", day, 10, 1000) for day in found)


def copies(*ages: int) -> tuple[IndexInfo, ...]:
    return tuple(replace(info, index=f"logstash-copy-{info.day}", restored_from=info.index) for info in days(*ages))


def server(**values: Any) -> Facts:
    state: dict[str, Any] = {"flavour": "elasticsearch", "version": (8, 19, 0), "health": "green"} | values
    return replace(NOTHING, server=SearchServer(**state))


def backup(indices: tuple[IndexInfo, ...] = (), **values: Any) -> Facts:
    return replace(NOTHING, lifecycle=True, indices=indices, backup=BackupFacts(**values))


def retention(*ages: int, builtin: bool = True, failed: dict[str, str] | None = None, **rules: Any) -> Facts:
    facts = backup(days(*ages), failed=failed or {})
    return replace(facts, rules=Rules(**rules) if rules else None, builtin_store=builtin)


NEW, OLD = UnsealedDay("logstash-2026.11.21", 1_500_000, 60), UnsealedDay("logstash-2026.11.20", 1_500_000, 7200)
MONTH = 30 * 86400.0
VISITS = {"gunicorn.access": 60}


def kafka(**state: Any) -> Facts:
    return replace(NOTHING, kafka=(KafkaState(**{"plugin": "kafka_0", "servers": "k:9092", "group": "g", **state}),))


CASES = [  # id, facts, {code: status}
    ("daemon_unknown", NOTHING, {}),
    ("daemon_runs", replace(NOTHING, pid=17), {"daemon.running": "ok"}),
    ("daemon_down", replace(NOTHING, pid=0, folder=Path("/data")), {"daemon.down": "fix"}),
    ("daemon_unread", replace(NOTHING, pid=17, unread="no"), {"daemon.running": "ok", "daemon.unread": "note"}),
    ("store_away", replace(NOTHING, store_problem="refused"), {"store.unavailable": "fix"}),
    ("no_events", records(), {"records.none": "fix"}),
    ("quiet", records(newest="2026-11-20T10:00:00.000Z"), {"records.quiet": "warning"}),
    ("no_access", records(total=300, django=280), {"records.arriving": "ok", "access.missing": "fix"}),
    (
        "access",
        records(total=9, access={"gunicorn.access": 4}),
        {"records.arriving": "ok", "access.arriving": "ok"},
    ),
    ("nginx", records(total=9, access={"": 4}), {"records.arriving": "ok", "access.arriving": "ok"}),
    (
        "access_twice",
        records(total=9, access={"gunicorn.access": 4, "": 4}, twice=("gunicorn.access",)),
        {"records.arriving": "ok", "access.twice": "warning"},
    ),
    (
        "access_twice_with_the_client",
        records(total=9, access={"gunicorn.access": 4, CLIENT_LOGGER: 4}, twice_client=("gunicorn.access",)),
        {"records.arriving": "ok", "access.twice_client": "warning"},
    ),
    (
        "access_of_two_servers",
        records(total=9, access={"django.server": 4, "": 4}),
        {"records.arriving": "ok", "access.arriving": "ok"},
    ),
    ("no_site", records(total=300), {"records.arriving": "ok"}),  # such as syslog: there are no visits to miss
    ("python", records(total=300, python=2), {"records.arriving": "ok", "access.missing": "fix"}),
    ("no_store", replace(records(), fills_store=False), {}),  # such as an edge, which writes to Kafka
    ("kafka_written", kafka(group="", topics={"logs": 0}), {"kafka.good": "ok"}),
    ("kafka_read", kafka(topics={"logs": 12, "old": 3}), {"kafka.read": "ok"}),
    ("kafka_late", kafka(topics={"logs": 60_000, "old": 60_000}), {"kafka.lag": "warning"}),
    ("kafka_away", kafka(problem="Local: Timed out"), {"kafka.unavailable": "fix"}),
    ("topic_to_read", kafka(topics={"logs": 0}, missing=("old",)), {"kafka.topic": "fix", "kafka.read": "ok"}),
    ("topic_to_write", kafka(group="", missing=("logs",)), {"kafka.topic": "warning"}),
    ("version_1", replace(NOTHING, samples=samples()), {"format.version": "ok", "clock.good": "ok"}),
    (
        "both_versions",
        replace(NOTHING, samples=samples() + samples(version=0)),
        {"format.both": "ok", "clock.good": "ok"},
    ),
    ("no_logstash", replace(NOTHING, samples=samples(version=None)), {"format.other": "ok", "clock.good": "ok"}),
    ("seoul_as_utc", replace(NOTHING, samples=samples(9)), {"format.version": "ok", "clock.zone": "fix"}),
    ("india_as_utc", replace(NOTHING, samples=samples(5.5)), {"format.version": "ok", "clock.zone": "fix"}),
    ("clock_behind", replace(NOTHING, samples=samples(-0.2)), {"format.version": "ok", "clock.skew": "warning"}),
    (
        "a_clock_that_was_reset",
        replace(NOTHING, samples=samples(-5 * 365 * 24)),
        {"format.version": "ok", "clock.skew": "warning"},
    ),
    (
        "an_old_day",
        replace(NOTHING, samples=sum((samples(-72 + minutes / 60, count=1) for minutes in range(0, 60, 5)), ())),
        {"format.version": "ok", "clock.old": "ok"},
    ),
    (
        "a_backfill_of_hours",
        replace(NOTHING, samples=sum((samples(-hours, count=1) for hours in range(1, 9)), ())),
        {"format.version": "ok", "clock.old": "ok"},
    ),
    (
        "a_backfill_beside_a_wrong_clock",
        replace(NOTHING, samples=samples(-72) + samples(-71) + samples(-70) + samples(0.5, host="web2")),
        {"format.version": "ok", "clock.old": "ok", "clock.zone": "fix"},
    ),
    ("a_minute_is_good", replace(NOTHING, samples=samples(1 / 60)), {"format.version": "ok", "clock.good": "ok"}),
    ("two_are_too_few", replace(NOTHING, samples=samples(9, count=2)), {"format.version": "ok", "clock.good": "ok"}),
    (
        "one_host_of_two",
        replace(NOTHING, samples=samples() + samples(9, host="web2")),
        {"format.version": "ok", "clock.zone": "fix"},
    ),
    (
        "future",
        records(total=1, access={"": 1}, future=3),
        {"records.arriving": "ok", "access.arriving": "ok", "clock.future": "warning"},
    ),
    ("zone_as_stored", replace(NOTHING, stored_zone=StoredZone("UTC", is_set=False)), {}),
    ("zone_of_other_settings", replace(NOTHING, stored_zone=StoredZone("Asia/Seoul", is_set=True)), ZONE_DIFFERS),
    (
        "zone_changed",
        replace(NOTHING, stored_zone=StoredZone("UTC", True, "Asia/Seoul", (NOW - DAY).timestamp())),
        {"zone.changed": "warning"},
    ),
    (
        "zone_changed_long_ago",
        replace(NOTHING, stored_zone=StoredZone("UTC", True, "Asia/Seoul", (NOW - 8 * DAY).timestamp())),
        {},
    ),
    (
        "one_proxy",
        records(total=60, access=VISITS, clients={"127.0.0.1": 60}),
        {"records.arriving": "ok", "access.arriving": "ok", "clients.single": "warning"},
    ),
    (
        "one_public_client",
        records(total=60, access=VISITS, clients={"203.0.114.9": 60}),
        {"records.arriving": "ok", "access.arriving": "ok", "clients.good": "ok"},
    ),
    (
        "clients",
        records(total=60, access=VISITS, clients={"127.0.0.1": 30, "10.0.0.1": 30}),
        {"records.arriving": "ok", "access.arriving": "ok", "clients.good": "ok"},
    ),
    (
        "no_clients",
        records(total=60, access=VISITS),
        {"records.arriving": "ok", "access.arriving": "ok", "clients.missing": "warning"},
    ),
    (
        "runserver_is_local",
        records(total=60, access={"django.server": 60}, clients={"127.0.0.1": 60}),
        {"records.arriving": "ok", "access.arriving": "ok"},
    ),
    ("senders", replace(NOTHING, senders=()), {"senders.good": "ok"}),
    ("dropped", replace(NOTHING, dropped=(DroppedDatagrams("udp", 5),)), {"datagrams.dropped": "warning"}),
    (
        "wrong_senders",
        replace(NOTHING, senders=tuple(UnsupportedClients("tcp", kind, 2) for kind in ADVICE)),
        {f"senders.{kind}": "warning" for kind in ADVICE},
    ),
    (
        "access_lines_of_the_future",  # their times have no zone
        records(total=3, django=3, future=9),
        {"records.arriving": "ok", "clock.future": "warning"},
    ),
    ("dead_letters", replace(NOTHING, dead_letters=2), {"deadletters.some": "warning"}),
    ("no_dead_letters", replace(NOTHING, dead_letters=0), {"deadletters.none": "ok"}),
    ("disk", replace(NOTHING, disk=Disk(1000, 100)), {"disk.good": "ok"}),
    ("disk_low", replace(NOTHING, disk=Disk(1000, 99)), {"disk.low": "warning"}),
    ("disk_full", replace(NOTHING, disk=Disk(1000, 29)), {"disk.full": "fix"}),
    ("rights", replace(NOTHING, rights=Rights(owner="ingestd")), {"rights.good": "ok"}),
    ("unreadable", replace(NOTHING, rights=Rights(readable=False)), {"rights.unreadable": "fix"}),
    (
        "foreign_and_open",
        replace(NOTHING, rights=Rights(owner="ingestd", foreign=("a", "b", "c", "d"), open_secrets=("/p",))),
        {"rights.foreign": "fix", "rights.secrets": "warning"},
    ),
    ("sealed", replace(NOTHING, unsealed=()), {"sealing.good": "ok"}),
    ("soon_sealed", replace(NOTHING, unsealed=(NEW,)), {"sealing.good": "ok"}),
    (
        "not_to_be_sealed",
        replace(NOTHING, unsealed=(), sealing_errors={"logstash-2026.11.20": "the disk is full"}),
        {"sealing.failed": "fix"},
    ),
    ("not_sealed", replace(NOTHING, unsealed=(NEW, OLD)), {"sealing.late": "fix"}),
    ("young_store", backup(days(*range(5))), {"backup.later": "note", "retention.none": "warning"}),
    ("old_store", backup(days(*range(9))), {"backup.none": "warning", "retention.none": "warning"}),
    ("no_backups_wanted", backup(days(*range(9)), disabled=True), {"backup.off": "ok", "retention.none": "warning"}),
    ("two_repositories", backup(problem="several"), {"backup.misconfigured": "fix", "retention.none": "warning"}),
    (
        "backed_up",
        backup(days(0, 1, 2), repository="s3", verified=frozenset({"logstash-2026.11.20"})),
        {"backup.good": "ok", "retention.none": "warning"},
    ),
    (
        "not_backed_up",
        backup(days(0, 1, 2), repository="s3"),
        {"backup.missing": "warning", "retention.none": "warning"},
    ),
    (
        "copies_need_no_backup",
        backup((*days(0, 1), *copies(3, 4)), repository="s3"),
        {"backup.good": "ok", "retention.none": "warning"},
    ),
    (
        "other_indices_are_not_backed_up",
        backup(days(0, 1, 2), repository="s3", index="other-*"),
        {"backup.good": "ok", "retention.none": "warning"},
    ),
    (
        "imported_days_stay_for_a_while",
        replace(backup(days(0, 600), kept=frozenset(info.index for info in days(600))), rules=Rules(max_age=MONTH)),
        {"backup.later": "note", "retention.good": "ok"},
    ),
    ("retention", retention(0, 32, max_age=MONTH), {"backup.later": "note", "retention.good": "ok"}),
    ("overdue", retention(0, 33, max_age=MONTH), {"backup.later": "note", "retention.overdue": "warning"}),
    ("server_keeps", retention(0, builtin=False), {"backup.later": "note", "retention.none": "ok"}),
    (
        "last_run_failed",
        retention(0, failed={"logstash-2026.11.20": "denied"}, max_age=MONTH),
        {"backup.later": "note", "retention.failed": "fix"},
    ),
    ("no_geoip", replace(NOTHING, geoip=GeoIp(None)), {"geoip.none": "note"}),
    ("geoip", replace(NOTHING, geoip=GeoIp(NOW.date() - 90 * DAY)), {"geoip.good": "ok"}),
    ("geoip_old", replace(NOTHING, geoip=GeoIp(NOW.date() - 91 * DAY)), {"geoip.old": "warning"}),
    ("geoip_package", replace(NOTHING, geoip=GeoIp(NOW.date(), package=False)), {"geoip.package": "fix"}),
    ("server", server(template="current"), {"server.good": "ok", "template.current": "ok"}),
    ("server_hides_its_version", server(version=(0, 0, 0), health=""), {"server.good": "ok"}),
    ("server_old", server(version=(5, 6, 0)), {"server.unsupported": "fix"}),
    ("server_red", server(health="red"), {"server.red": "fix"}),
    ("server_disk", server(disk_percent=90), {"server.good": "ok", "server.disk": "warning"}),
    ("server_read_only", server(disk_percent=95), {"server.good": "ok", "server.disk": "fix"}),
    ("template_missing", server(template="missing"), {"server.good": "ok", "template.missing": "warning"}),
    ("template_older", server(template="older"), {"server.good": "ok", "template.older": "warning"}),
    ("fields", server(full_indices=(FULL,)), {"server.good": "ok", "fields.ignored": "warning"}),
    (
        "fields_rejected",
        server(full_indices=(replace(FULL, rejects=True),)),
        {"server.good": "ok", "fields.rejected": "fix"},
    ),
    ("template_foreign", server(template="foreign"), {"server.good": "ok", "template.foreign": "ok"}),
]


@pytest.mark.parametrize(("facts", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_findings(facts: Facts, expected: dict[str, str]) -> None:
    findings = diagnose(facts)
    assert {finding.code: finding.status.value for finding in findings} == expected
    for finding in findings:
        for language in LANGUAGES:
            assert finding.text(language)
            assert finding.fix(language) or finding.status is Status.OK or finding.code in _WITHOUT_FIX


_WITHOUT_FIX = {"clients.missing", "backup.misconfigured"}


def test_every_check_and_every_text_has_a_case() -> None:
    assert {code for _, _, expected in CASES for code in expected} == SENTENCES.keys()
    assert {code.partition(".")[0] for code in SENTENCES} >= {"access", "clock", "sealing"}
    assert len(CHECKS) == len({check.__name__ for check in CHECKS})


@pytest.mark.parametrize("texts", [*SENTENCES.values(), *FIXES.values()], ids=[*SENTENCES, *FIXES])
def test_both_languages_have_the_same_placeholders(texts: tuple[str, str]) -> None:
    english, korean = ({name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts)
    assert english == korean


@pytest.mark.parametrize(
    ("loggers", "expected"),
    [
        ([CLIENT_LOGGER], ["nginx", "ingestd-django"]),
        (["gunicorn.access"], ["nginx", "gunicorn", "uvicorn, Daphne"]),
        ([CLIENT_LOGGER, ""], ["nginx", "ingestd-django", "gunicorn", "uvicorn, Daphne"]),
    ],
)
def test_what_passes_addresses_on_depends_on_who_logs_visits(loggers: list[str], expected: list[str]) -> None:
    facts = records(total=120, access=dict.fromkeys(loggers, 60), clients={"127.0.0.1": 60 * len(loggers)})
    [finding] = record_checks.check_clients(facts)
    for language in LANGUAGES:
        first, *rest = finding.fix(language).split("\n")
        assert [first.split(". ")[1].split(":")[0], *(line.split(":")[0] for line in rest)] == expected


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        (GeoIp(None), "ingestd geoip install dbip:country-lite"),
        (GeoIp(None, package=False), "pip install 'ingestd[geoip]' && ingestd geoip install dbip:country-lite"),
        (GeoIp(NOW.date(), package=False), "pip install 'ingestd[geoip]'"),
    ],
    ids=["no_database", "nothing", "no_package"],
)
def test_what_to_install_for_locations(facts: GeoIp, command: str) -> None:
    [finding] = [found for found in diagnose(replace(NOTHING, geoip=facts)) if found.code.startswith("geoip.")]
    assert finding.fix("en") == finding.fix("ko") == command


@pytest.mark.parametrize(
    ("servers", "expected", "absent"),
    [
        (("gunicorn",), ['"gunicorn.access": {"handlers"', "gunicorn --access-logfile - "], ["uvicorn", "Daphne"]),
        (("gunicorn",), ['MIDDLEWARE = ["ingestd_django.AccessLog", *MIDDLEWARE]'], []),
        (("uvicorn",), ['"uvicorn.access": {"handlers"'], ["gunicorn"]),
        ((), ["gunicorn.access", "uvicorn.access", "Daphne", "uWSGI"], []),
        (("waitress-serve",), ["gunicorn.access"], []),
    ],
    ids=["gunicorn", "client", "uvicorn", "unknown", "other"],
)
def test_missing_access_lines_come_with_the_recipe(
    servers: tuple[str, ...], expected: list[str], absent: list[str]
) -> None:
    facts = replace(records(total=300, django=300), app_servers=servers)
    [finding] = record_checks.check_access(facts)
    assert finding.text().startswith("300 records, 300 of them of Django, and no access line")
    assert all(text in finding.fix() for text in expected)
    assert not any(text in finding.fix() for text in absent)


@pytest.mark.parametrize(("hours", "shown"), [(9, "9 h ahead"), (-5.5, "5.5 h behind"), (5.75, "5.75 h ahead")])
def test_a_zone_is_named_in_hours(hours: float, shown: str) -> None:
    [finding] = record_checks.check_clock(replace(NOTHING, samples=samples(hours)))
    assert f"timestamps of web1 are {shown}" in finding.text()


def test_a_document() -> None:
    findings = [Finding(Status.OK, "sealing.good"), Finding(Status.WARNING, "retention.none")]
    document = diagnosis_document(findings, "ko")
    assert document["ok"] is True
    assert document["findings"][1]["status"] == "warning"
    assert document["findings"][1]["fix"].startswith("retention.max_age나")
    assert not is_healthy([*findings, Finding(Status.FIX, "records.none")])


def test_names_are_cut() -> None:
    [finding] = system_checks.check_sealing(replace(NOTHING, unsealed=(OLD,) * 5))
    assert finding.text().endswith("logstash-2026.11.20 and 2 more")


CLOCKS = [  # id, hours that timestamps are ahead, host, the sentence in English and in Korean
    (
        "skew",
        -0.2,
        "",
        "timestamps of records without a host are 12 minutes behind the time of receipt",
        "호스트가 없는 레코드의 시각이 수신 시각과 12분 차이 납니다(늦음)",
    ),
    (
        "zone",
        9,
        "web1",
        "timestamps of web1 are 9 h ahead: it sends local time as if it were UTC",
        "web1의 시각이 9시간 어긋나 있습니다(빠름): 현지 시각을 UTC로 보내고 있습니다",
    ),
]


@pytest.mark.parametrize(("hours", "host", "english", "korean"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_a_wrong_clock_in_both_languages(hours: float, host: str, english: str, korean: str) -> None:
    [found] = [
        finding
        for finding in diagnose(replace(NOTHING, samples=samples(hours, host=host)))
        if finding.code.startswith("clock.")
    ]
    assert [sentence(found.code, found.values, language) for language in ("en", "ko")] == [english, korean]


@pytest.mark.parametrize(("count", "shown"), [("1", "1 event with"), ("2,000", "2,000 events with")])
def test_numbers_agree_with_their_nouns(count: str, shown: str) -> None:
    assert shown in sentence("clock.future", {"count": count})
