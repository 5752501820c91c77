"""Writes ``packaging/grafana/ingestd.json``, the Grafana dashboard of the daemon's metrics.

``python -m tools.grafana``. Of the 1,400 lines of the file only those that differ between panels are here. Format:
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FILE = Path(__file__).parent.parent / "packaging" / "grafana" / "ingestd.json"

_COLUMNS = 24
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_HERE = 'instance=~"$instance"'
_PIPE = f'{_HERE},pipeline=~"$pipeline"'
_WINDOW = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: lines over time, or one number. ``queries`` are pairs of PromQL and legend format.

    ``unit`` is Grafana's name of a unit; ``stacked`` is for parts of a whole.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    stacked: bool = False
    width: int = 12
    description: str = ""


def _rate(metric: str, by: str, where: str = _PIPE) -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}{_WINDOW}))"


def _quantile(metric: str, quantile: float) -> tuple[str, str]:
    buckets = _rate(f"{metric}_bucket", "le, output", _HERE)
    return f"histogram_quantile({quantile}, {buckets})", f"{{{{output}}}} p{quantile * 100:g}"


def _mean(metric: str, by: str, where: str) -> str:
    return f"{_rate(f'{metric}_sum', by, where)} / {_rate(f'{metric}_count', by, where)}"


def _number(title: str, query: str, unit: str = "short", description: str = "") -> Panel:
    return Panel(title, ((query, title),), unit, "stat", width=4, description=description)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Overview": (
        _number("Received", f"sum(rate(ingestd_received_events_total{{{_PIPE}}}{_WINDOW}))", "eps"),
        _number("Delivered", f"sum(rate(ingestd_delivered_events_total{{{_PIPE}}}{_WINDOW}))", "eps"),
        _number("Waiting", f"sum(ingestd_queue_events{{{_PIPE}}})", description="Received, not yet delivered."),
        _number(
            "Dead letters, 24 h",
            f"sum(increase(ingestd_dead_letter_events_total{{{_HERE}}}[24h]))",
            description="See `ingestd deadletters list`.",
        ),
        _number(
            "Last lifecycle run",
            f"time() - max(ingestd_lifecycle_success_timestamp_seconds{{{_HERE}}} > 0)",
            "s",
            "Time since backup and retention last succeeded.",
        ),
        _number(
            "CPU per event",
            f"sum(rate(ingestd_worker_cpu_seconds_total{{{_HERE}}}{_WINDOW}))"
            f" / sum(rate(ingestd_received_events_total{{{_HERE}}}{_WINDOW}))",
            "s",
        ),
    ),
    "Events": (
        Panel(
            "Received",
            ((_rate("ingestd_received_events_total", "pipeline, input"), "{{pipeline}} {{input}}"),),
            "eps",
        ),
        Panel(
            "Delivered",
            (
                (_rate("ingestd_delivered_events_total", "pipeline, output"), "{{pipeline}} {{output}}"),
                (_rate("ingestd_duplicate_events_total", "pipeline, output"), "{{pipeline}} {{output}} duplicates"),
            ),
            "eps",
        ),
        Panel(
            "Not delivered",
            (
                (_rate("ingestd_dropped_events_total", "filter"), "dropped by {{filter}}"),
                (_rate("ingestd_dead_letter_events_total", "stage, plugin", _HERE), "dead: {{stage}} {{plugin}}"),
            ),
            "eps",
            description="Dropped by a filter, or kept as dead letters.",
        ),
        Panel(
            "Filter failures",
            ((_rate("ingestd_failed_events_total", "plugin, reason"), "{{plugin}} {{reason}}"),),
            "eps",
            description="These events are tagged and passed on.",
        ),
        Panel("Filtered", ((_rate("ingestd_filtered_events_total", "pipeline"), "{{pipeline}}"),), "eps"),
        Panel(
            "Batch size",
            ((_mean("ingestd_batch_size_events", "pipeline", _PIPE), "{{pipeline}}"),),
            description="Events that are filtered at once.",
        ),
    ),
    "Queue and outputs": (
        Panel("Waiting events", ((f"sum by (pipeline) (ingestd_queue_events{{{_PIPE}}})", "{{pipeline}}"),)),
        Panel(
            "Waiting bytes",
            ((f"sum by (pipeline) (ingestd_queue_bytes{{{_PIPE}}})", "{{pipeline}}"),),
            "bytes",
            description="Inputs stop reading at `journal.max_bytes`.",
        ),
        Panel(
            "Bulk request duration",
            tuple(_quantile("ingestd_bulk_duration_seconds", quantile) for quantile in (0.5, 0.95, 0.99)),
            "s",
        ),
        Panel("Bulk request size", ((_mean("ingestd_bulk_size_bytes", "output", _HERE), "{{output}}"),), "bytes"),
        Panel(
            "Retried requests",
            ((_rate("ingestd_retried_requests_total", "output, reason", _HERE), "{{output}} {{reason}}"),),
            "reqps",
        ),
        Panel(
            "Retried events",
            ((_rate("ingestd_retried_events_total", "output, reason", _HERE), "{{output}} {{reason}}"),),
            "eps",
        ),
        Panel(
            "Bytes in and out",
            (
                (_rate("ingestd_received_bytes_total", "input"), "in {{input}}"),
                (_rate("ingestd_delivered_bytes_total", "output"), "out {{output}}"),
            ),
            "Bps",
        ),
        Panel("Open connections", ((f"sum by (input) (ingestd_open_connections{{{_PIPE}}})", "{{input}}"),)),
        Panel("New connections", ((_rate("ingestd_accepted_connections_total", "input"), "{{input}}"),), "cps"),
        Panel(
            "Closed connections",
            ((_rate("ingestd_closed_connections_total", "input, reason"), "{{input}} {{reason}}"),),
            "cps",
            stacked=True,
        ),
    ),
    "Daemon": (
        Panel(
            "CPU of the workers",
            ((_rate("ingestd_worker_cpu_seconds_total", "worker", _HERE), "{{worker}}"),),
            "percentunit",
            stacked=True,
        ),
        Panel("Memory", ((f"process_resident_memory_bytes{{{_HERE}}}", "{{instance}}"),), "bytes"),
        Panel(
            "Alerts",
            ((f"max by (alert) (ingestd_alert_firing{{{_HERE}}})", "{{alert}}"),),
            description="1 while an alert fires. See `ingestd alerts`.",
        ),
        Panel(
            "Notifications of alerts",
            (
                (f"sum by (channel) (increase(ingestd_sent_notifications_total{{{_HERE}}}[1h]))", "{{channel}}"),
                (
                    f"sum by (channel) (increase(ingestd_failed_notifications_total{{{_HERE}}}[1h]))",
                    "{{channel}}, failed",
                ),
            ),
            description="In the last hour.",
        ),
        Panel(
            "Log messages",
            ((_rate("ingestd_log_messages_total", "level", _HERE), "{{level}}"),),
            "short",
            stacked=True,
        ),
        Panel(
            "Indices",
            (
                (f"sum(increase(ingestd_backed_up_indices_total{{{_HERE}}}[1h]))", "backed up"),
                (f"sum(increase(ingestd_deleted_indices_total{{{_HERE}}}[1h]))", "deleted by retention"),
                (f"sum(increase(ingestd_failed_indices_total{{{_HERE}}}[1h]))", "failed"),
            ),
            description="In the last hour.",
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard. Its data source is a variable, so that it can be imported and provisioned."""
    return {
        "uid": "ingestd",
        "title": "ingestd",
        "description": "Events that the daemon receives, queues and delivers. Metrics: docs/metrics.md.",
        "tags": ["ingestd", "logs"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables())},
        "annotations": {"list": []},
        "panels": _panels(),
    }


def _variables() -> tuple[dict[str, Any], ...]:
    def values(name: str, query: str) -> dict[str, Any]:
        return {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }

    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    instance = values("instance", "label_values(ingestd_build_info, instance)")
    pipeline = values("pipeline", f"label_values(ingestd_received_events_total{{{_HERE}}}, pipeline)")
    return source, instance, pipeline


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for title, panels in ROWS.items():
        position = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
        found.append({"id": len(found) + 1, "type": "row", "title": title, "gridPos": position, "panels": []})
        x, y, height = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y = 0, y + height
            height = 4 if panel.kind == "stat" else 8
            position = {"x": x, "y": y, "w": panel.width, "h": height}
            found.append(_panel(panel, len(found) + 1, position))
            x += panel.width
        y += height
    return found


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": _DATASOURCE, "expr": query, "legendFormat": name}
        for at, (query, name) in enumerate(panel.queries)
    ]
    custom: dict[str, Any] = {"fillOpacity": 10, "showPoints": "never"}
    if panel.stacked:
        custom |= {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    options: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "textMode": "value"}
    if panel.kind == "timeseries":
        defaults["custom"] = custom
        legend = {"displayMode": "list", "placement": "bottom"}
        options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": position,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


def text() -> str:
    """Return the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
