"""Every figure that Tillstream's processes give to Prometheus, by name and unit. Labels name our own parts, never people or things."""

from collections import Counter as Count
from collections.abc import Iterable

from eventsourcing.persistence import StoredEvent
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

__all__ = ["REGISTRY"]

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

EVENTS_RECORDED = Counter(
    "till_events_recorded_total", "Events committed to the log, by commands and by reactions.", ["event"]
)
APPEND_SECONDS = Histogram(
    "till_append_seconds", "From the begin of an appending transaction to its commit, in seconds.", buckets=_FAST
)
APPEND_COMMANDS = Histogram("till_append_commands", "Commands that shared one transaction of the log.", buckets=_COUNTS)
VERSION_CONFLICTS = Counter("till_version_conflicts_total", "Saves refused because somebody else was faster.")
DUPLICATES_SUPPRESSED = Counter(
    "till_duplicates_suppressed_total", "Commands and records that were there already and changed nothing.", ["what"]
)

RELAY_PUBLISHED = Counter("till_relay_published_total", "Events that the relay brought to the topic.")
RELAY_LAG_EVENTS = Gauge("till_relay_lag_events", "Events of the log that the topic does not have yet.")
RELAY_OLDEST_SECONDS = Gauge(
    "till_relay_oldest_unpublished_seconds", "Age of the oldest event that the topic does not have yet, in seconds."
)

CONSUMER_LAG_EVENTS = Gauge(
    "till_consumer_lag_events",
    "Records of a partition that a consumer has not handled yet.",
    ["consumer", "topic", "partition"],
)
CONSUMER_LAG_SECONDS = Gauge(
    "till_consumer_lag_seconds",
    "Everything recorded longer ago than this has been taken from a partition; 0 when all of it has.",
    ["consumer", "topic", "partition"],
)
RETENTION_HEADROOM = Gauge(
    "till_retention_headroom_records",
    "Records between the oldest that Kafka keeps and the next that a consumer needs; below 0 some were deleted unread.",
    ["consumer", "topic", "partition"],
)
OLDEST_KEPT = Gauge(
    "till_topic_oldest_kept_offset",
    "The oldest offset that Kafka keeps; above 0 a read model cannot be rebuilt from the topic.",
    ["topic", "partition"],
)
PROJECTION_AGE = Gauge(
    "till_projection_age_seconds",
    "A read model shows everything published longer ago than this; 0 when it shows all.",
    ["projection"],
)
PROJECTION_EVENTS = Counter(
    "till_projection_events_total",
    "Events folded into a read model, repeats of failed batches included.",
    ["projection"],
)
PROJECTION_SECONDS = Histogram(
    "till_projection_fold_seconds",
    "The fold of one batch into one read model, in seconds.",
    ["projection"],
    buckets=_SLOW,
)
BATCH_SECONDS = Histogram(
    "till_batch_seconds", "From a batch's first fold to its commit, in seconds.", ["consumer"], buckets=_SLOW
)
BATCH_EVENTS = Histogram("till_batch_events", "Events in a batch.", ["consumer"], buckets=_COUNTS)
BATCH_RETRIES = Counter("till_batch_retries_total", "Batches tried again after a failure that passes.", ["consumer"])
FENCED_BATCHES = Counter(
    "till_fenced_batches_total", "Batches dropped because another consumer owns the partition by now.", ["consumer"]
)
DEAD_LETTERS = Gauge("till_dead_letters", "Records that could not be handled and wait for a decision.", ["consumer"])
PARKED_KEYS = Gauge("till_parked_keys", "Keys whose later events wait behind a dead letter.", ["consumer"])

EFFECTS = Counter("till_effects_total", "Outgoing effects by what became of them.", ["kind", "outcome"])
EFFECTS_WAITING = Gauge("till_effects_waiting", "Outgoing effects that are not done yet.", ["kind"])
EFFECT_SECONDS = Histogram(
    "till_effect_seconds", "Delivery of an outgoing effect, in seconds.", ["kind"], buckets=_SLOW
)
JOB_RUNS = Counter("till_job_runs_total", "Runs of a periodic job by outcome.", ["job_name", "outcome"])

WEBHOOK_CALLS = Counter("till_webhook_calls_total", "Calls of receivers by what came of them.", ["outcome"])
WEBHOOKS = Gauge("till_webhooks", "Receivers: called, failing at the moment, or disabled.", ["state"])

DATABASE_BYTES = Gauge("till_database_bytes", "Size of the service's database: the log, and all the rest.", ["what"])
DATABASE_CONNECTIONS = Gauge("till_database_connections", "Connections to the service's database.")
DATABASE_TRANSACTIONS = Gauge(
    "till_database_transactions", "Transactions since PostgreSQL's figures were last set back.", ["outcome"]
)
DATABASE_BLOCKS = Gauge(
    "till_database_blocks", "Blocks read since PostgreSQL's figures were last set back, by where they were.", ["source"]
)
DATABASE_DEADLOCKS = Gauge("till_database_deadlocks", "Deadlocks since PostgreSQL's figures were last set back.")
DATABASE_OLDEST_TRANSACTION = Gauge(
    "till_database_oldest_transaction_seconds", "For how long the oldest transaction that is open has been open."
)

HTTP_REQUESTS = Counter("till_http_requests_total", "Requests answered.", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "till_http_seconds", "From a request's head to the end of its answer, in seconds.", ["route"], buckets=_FAST
)


def http_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count and time one request."""
    HTTP_REQUESTS.labels(method if method in _METHODS else "other", route, str(status)).inc()
    HTTP_SECONDS.labels(route).observe(seconds)


def events_recorded(events: Iterable[StoredEvent]) -> None:
    """Count what entered the log, by the event's name."""
    for kind, number in Count(event.topic for event in events).items():
        EVENTS_RECORDED.labels(kind.split(".")[-2]).inc(number)
