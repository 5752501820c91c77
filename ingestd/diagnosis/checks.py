"""All checks, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ingestd.diagnosis import kafka_checks, record_checks, system_checks
from ingestd.diagnosis.facts import Facts
from ingestd.diagnosis.finding import Finding

CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    system_checks.check_daemon,
    system_checks.check_store,
    record_checks.check_records,
    record_checks.check_access,
    record_checks.check_format,
    record_checks.check_clock,
    record_checks.check_zone,
    record_checks.check_clients,
    record_checks.check_senders,
    record_checks.check_dropped,
    kafka_checks.check_kafka,
    system_checks.check_dead_letters,
    system_checks.check_disk,
    system_checks.check_rights,
    system_checks.check_sealing,
    system_checks.check_backup,
    system_checks.check_retention,
    system_checks.check_geoip,
    system_checks.check_server,
    system_checks.check_template,
    system_checks.check_fields,
)


def diagnose(facts: Facts) -> list[Finding]:
    """Return what all checks find."""
    return [finding for check in CHECKS for finding in check(facts)]
