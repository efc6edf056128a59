"""Write deploy/observability/dashboards/*.json: the boards are told here in a few lines each, Grafana's form of them is made.

.venv/bin/python tools/dashboards.py
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "observability" / "dashboards"
WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}
SERVICE = 'job="till",service=~"$service"'


@dataclass(frozen=True)
class Panel:
    """One picture: its question, Grafana's name of the unit, and for each query the legend of its lines."""

    title: str
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"


def quantiles(name: str, by: str = "service", also: str = "") -> dict[str, str]:
    """Return the median and the 99th percentile of a histogram."""
    return {
        f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket{{{SERVICE}{also}}}[$__rate_interval])))": f"p{p} {{{{{by}}}}}"
        for q, p in ((0.5, 50), (0.99, 99))
    }


BOARDS: dict[str, tuple[str, list[Panel]]] = {
    "event-flow": (
        "Event flow",
        [
            Panel(
                "Recorded: events entering the logs", "eps",
                {f"sum by (service) (rate(till_events_recorded_total{{{SERVICE}}}[$__rate_interval]))": "{{service}}"},
            ),
            Panel(
                "Published: events the relays brought to the topics", "eps",
                {f"sum by (service) (rate(till_relay_published_total{{{SERVICE}}}[$__rate_interval]))": "{{service}}"},
            ),
            Panel(
                "Not published yet: age of the oldest", "s",
                {f"max by (service) (till_relay_oldest_unpublished_seconds{{{SERVICE}}})": "{{service}}"},
            ),
            Panel(
                "Not published yet: events", "short",
                {f"max by (service) (till_relay_lag_events{{{SERVICE}}})": "{{service}}"},
            ),
            Panel(
                "Not taken yet: age", "s",
                {f"max by (consumer, topic) (till_consumer_lag_seconds{{{SERVICE}}})": "{{consumer}} of {{topic}}"},
            ),
            Panel(
                "Not taken yet: records", "short",
                {f"sum by (consumer, topic) (till_consumer_lag_events{{{SERVICE}}})": "{{consumer}} of {{topic}}"},
            ),
            Panel(
                "Dead letters and the keys that wait behind them", "short",
                {
                    f"max by (consumer) (till_dead_letters{{{SERVICE}}})": "letters of {{consumer}}",
                    f"max by (consumer) (till_parked_keys{{{SERVICE}}})": "keys of {{consumer}}",
                },
            ),
            Panel(
                "Room between the oldest record kept and the next one needed", "short",
                {f"min by (consumer, topic) (till_retention_headroom_records{{{SERVICE}}})": "{{consumer}} of {{topic}}"},
            ),
            Panel(
                "Oldest offset kept (0: nothing was ever deleted)", "short",
                {f"max by (topic) (till_topic_oldest_kept_offset{{{SERVICE}}})": "{{topic}}"},
            ),
            Panel(
                "Repeats that changed nothing", "eps",
                {
                    f"sum by (service) (rate(till_duplicates_suppressed_total{{{SERVICE}}}[$__rate_interval]))": "{{service}}",
                },
            ),
        ],
    ),
    "services": (
        "Services",
        [
            Panel("Up", "bool", {f"min by (service, part) (up{{{SERVICE}}})": "{{service}} {{part}}"}),
            Panel(
                "Requests", "reqps",
                {f"sum by (service) (rate(till_http_requests_total{{{SERVICE}}}[$__rate_interval]))": "{{service}}"},
            ),
            Panel("Answers: how long", "s", quantiles("till_http_seconds", also=',route!="/v1/events"')),
            Panel(
                "Answers that were not errors of ours", "percentunit",
                {
                    f'sum by (service) (rate(till_http_requests_total{{{SERVICE},status!~"5.."}}[$__rate_interval])) / '
                    f"sum by (service) (rate(till_http_requests_total{{{SERVICE}}}[$__rate_interval]))": "{{service}}"
                },
            ),
            Panel(
                "Requests by route", "reqps",
                {
                    f"sum by (service, method, route) (rate(till_http_requests_total{{{SERVICE}}}[$__rate_interval]))": (
                        "{{service}} {{method}} {{route}}"
                    )
                },
            ),
            Panel(
                "Processors used", "short",
                {f"sum by (service, part) (rate(process_cpu_seconds_total{{{SERVICE}}}[$__rate_interval]))": "{{service}} {{part}}"},
            ),
            Panel(
                "Memory", "bytes",
                {f"sum by (service, part) (process_resident_memory_bytes{{{SERVICE}}})": "{{service}} {{part}}"},
            ),
            Panel(
                "Periodic jobs", "short",
                {
                    f"sum by (service, job_name, outcome) (rate(till_job_runs_total{{{SERVICE}}}[$__rate_interval]))": (
                        "{{service}} {{job_name}} {{outcome}}"
                    )
                },
            ),
        ],
    ),
    "projections": (
        "Projections",
        [
            Panel(
                "How old an answer may be", "s",
                {f"max by (service, projection) (till_projection_age_seconds{{{SERVICE}}})": "{{service}} {{projection}}"},
            ),
            Panel(
                "Events folded", "eps",
                {
                    f"sum by (service, projection) (rate(till_projection_events_total{{{SERVICE}}}[$__rate_interval]))": (
                        "{{service}} {{projection}}"
                    )
                },
            ),
            Panel("Fold of one batch", "s", quantiles("till_projection_fold_seconds", "projection")),
            Panel("A whole batch, to its commit", "s", quantiles("till_batch_seconds", "consumer")),
            Panel("Events in a batch", "short", quantiles("till_batch_events", "consumer")),
            Panel(
                "Batches tried again, and batches dropped because another has the partition", "short",
                {
                    f"sum by (consumer) (till_batch_retries_total{{{SERVICE}}})": "again {{consumer}}",
                    f"sum by (consumer) (till_fenced_batches_total{{{SERVICE}}})": "dropped {{consumer}}",
                },
            ),
        ],
    ),
    "business": (
        "Business",
        [
            Panel(
                "Receipts and returns", "short",
                {
                    'sum by (event) (increase(till_events_recorded_total{job="till",event=~"PurchaseRecorded|PurchaseReturned"}[1h]))': (
                        "{{event}} in an hour"
                    )
                },
            ),
            Panel("Orders by status", "short", {'max by (status) (till_orders{job="till"})': "{{status}}"}),
            Panel(
                "New customers", "short",
                {'sum(increase(till_events_recorded_total{job="till",event="CustomerRegistered"}[1h]))': "in an hour"},
            ),
            Panel("Points that customers can spend, or will", "short", {'max by (state) (till_loyalty_points{job="till"})': "{{state}}"}),
            Panel("Lots of points", "short", {'max by (state) (till_loyalty_lots{job="till"})': "{{state}}"}),
            Panel("Holds of tills", "short", {'max by (state) (till_loyalty_holds{job="till"})': "{{state}}"}),
            Panel(
                "Messages by what became of them", "short",
                {'max by (channel, outcome) (till_messages{job="till"})': "{{channel}} {{outcome}}"},
            ),
            Panel(
                "Messages leaving the house", "short",
                {
                    'sum by (kind, outcome) (rate(till_effects_total{job="till"}[$__rate_interval]))': "{{kind}} {{outcome}}",
                    'max by (kind) (till_effects_waiting{job="till"})': "{{kind}} waiting",
                },
            ),
        ],
    ),
    "postgresql": (
        "PostgreSQL",
        [
            Panel("From a save to its commit", "s", quantiles("till_append_seconds")),
            Panel("Commands that shared a commit", "short", quantiles("till_append_commands")),
            Panel(
                "Size", "bytes",
                {f"max by (service, what) (till_database_bytes{{{SERVICE}}})": "{{service}} {{what}}"},
            ),
            Panel(
                "Transactions", "short",
                {
                    f"max by (service, outcome) (rate(till_database_transactions{{{SERVICE}}}[$__rate_interval]))": (
                        "{{service}} {{outcome}}"
                    )
                },
            ),
            Panel("Connections", "short", {f"max by (service) (till_database_connections{{{SERVICE}}})": "{{service}}"}),
            Panel(
                "Blocks found in memory", "percentunit",
                {
                    f'max by (service) (till_database_blocks{{{SERVICE},source="memory"}}) / '
                    f'(max by (service) (till_database_blocks{{{SERVICE},source="memory"}}) + '
                    f'max by (service) (till_database_blocks{{{SERVICE},source="disk"}}))': "{{service}}"
                },
            ),
            Panel(
                "Oldest open transaction", "s",
                {f"max by (service) (till_database_oldest_transaction_seconds{{{SERVICE}}})": "{{service}}"},
            ),
            Panel(
                "Saves refused because somebody was faster, and deadlocks", "short",
                {
                    f"sum by (service) (till_version_conflicts_total{{{SERVICE}}})": "conflicts {{service}}",
                    f"max by (service) (till_database_deadlocks{{{SERVICE}}})": "deadlocks {{service}}",
                },
            ),
        ],
    ),
}  # fmt: skip


def board(name: str, title: str, panels: list[Panel]) -> dict[str, Any]:
    """Return a board as Grafana imports it."""
    return {
        "uid": f"till-{name}",
        "title": f"Tillstream: {title}",
        "tags": ["tillstream"],
        "schemaVersion": 41,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _services()]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries.items())
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _services() -> dict[str, Any]:
    return {
        "name": "service",
        "label": "Service",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": 'label_values(up{job="till"}, service)', "refId": "services"},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def boards() -> dict[str, str]:
    """Return what each file is to hold, by its name."""
    return {
        f"{name}.json": json.dumps(board(name, title, panels), indent=2) + "\n"
        for name, (title, panels) in BOARDS.items()
    }


if __name__ == "__main__":
    for file, content in boards().items():
        (FOLDER / file).write_text(content)
