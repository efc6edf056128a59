"""The boards, told in a few lines for each picture; dashboards.py makes Grafana's form of them."""

from dataclasses import dataclass

SERVICE = 'job="till",service=~"$service"'


@dataclass(frozen=True)
class Panel:
    """One picture: its question, Grafana's name of the unit, what it says, and for each query the legend of its lines.

    From the `limit` on, or below the `floor`, an alert says that something is wrong; it is drawn as a line.
    """

    title: str
    unit: str
    says: str
    queries: dict[str, str]
    limit: float | None = None
    floor: float | None = None


def rate(name: str, by: str, also: str = "") -> str:
    """Return how often a second."""
    return f"sum by ({by}) (rate({name}{{{SERVICE}{also}}}[$__rate_interval]))"


def grown(name: str, by: str, within: str, also: str = "") -> str:
    """Return how many in a while, whatever was restarted meanwhile."""
    return f"sum by ({by}) (increase({name}{{{SERVICE}{also}}}[{within}]))"


def largest(name: str, by: str = "service") -> str:
    """Return a figure that every process tells alike."""
    return f"max by ({by}) ({name}{{{SERVICE}}})"


def quantiles(name: str, by: str = "service", also: str = "") -> dict[str, str]:
    """Return the median and the 99th percentile of a histogram."""
    return {
        f"histogram_quantile({q}, sum by (le, {by}) (rate({name}_bucket{{{SERVICE}{also}}}[$__rate_interval])))": f"p{p} {{{{{by}}}}}"
        for q, p in ((0.5, 50), (0.99, 99))
    }


EVENT_FLOW = [
    Panel(
        "Recorded: events entering the logs", "eps", "What the services committed, by commands and by reactions.",
        {rate("till_events_recorded_total", "service"): "{{service}}"},
    ),
    Panel(
        "Published: events the relays brought to the topics", "eps",
        "What went from the logs to Kafka. In the long run the same as recorded, less what is private.",
        {rate("till_relay_published_total", "service"): "{{service}}"},
    ),
    Panel(
        "Not published yet: age of the oldest", "s", "For how long others have not heard of the oldest event that is not on its topic.",
        {largest("till_relay_oldest_unpublished_seconds"): "{{service}}"}, limit=60,
    ),
    Panel(
        "Not published yet: events", "short", "Events of the log that are not on the topic, private ones included.",
        {largest("till_relay_lag_events"): "{{service}}"},
    ),
    Panel(
        "Not taken yet: age", "s", "For how long there has been something on a topic that its reader has not taken.",
        {largest("till_consumer_lag_seconds", "consumer, topic"): "{{consumer}} of {{topic}}"}, limit=300,
    ),
    Panel(
        "Not taken yet: records", "short", "How much there is to take; an import makes it rise for a while.",
        {f"sum by (consumer, topic) (till_consumer_lag_events{{{SERVICE}}})": "{{consumer}} of {{topic}}"},
    ),
    Panel(
        "Dead letters", "short", "Records that a reader could not take and that wait for a decision: till dlq list.",
        {largest("till_dead_letters", "consumer"): "{{consumer}}"}, limit=1,
    ),
    Panel(
        "Keys that wait behind dead letters", "short", "Customers, orders or cards whose later events wait.",
        {largest("till_parked_keys", "consumer"): "{{consumer}}"},
    ),
    Panel(
        "Room between the oldest record kept and the next one needed", "short",
        "Falling is Kafka deleting what it should keep; below 0 something was deleted unread.",
        {f"min by (consumer, topic) (till_retention_headroom_records{{{SERVICE}}})": "{{consumer}} of {{topic}}"}, floor=0,
    ),
    Panel(
        "Oldest offset kept", "short", "0 while nothing was ever deleted from a topic.",
        {largest("till_topic_oldest_kept_offset", "topic"): "{{topic}}"}, limit=1,
    ),
    Panel(
        "Repeats that changed nothing", "eps", "Records that came again, after a restart or a kill, and were told by their place.",
        {rate("till_duplicates_suppressed_total", "service"): "{{service}}"},
    ),
    Panel(
        "Receivers of webhooks that take nothing", "short", "Called in vain, or disabled: till webhooks list.",
        {f'sum by (service) (max by (service, state) (till_webhooks{{{SERVICE},state=~"failing|disabled"}}))': "{{service}}"}, limit=1,
    ),
]  # fmt: skip
SERVICES = [
    Panel(
        "Up", "bool_on_off", "Whether each part of each service answers.",
        {f"min by (service, part) (up{{{SERVICE}}})": "{{service}} {{part}}"}, floor=1,
    ),
    Panel(
        "Requests", "reqps", "What tills, web shops and people ask for.",
        {rate("till_http_requests_total", "service"): "{{service}}"},
    ),
    Panel(
        "Answers: how long", "s", "From a request's head to the end of its answer; event streams are left out, they end when they like.",
        quantiles("till_http_seconds", also=',route!="/v1/events"'), limit=1,
    ),
    Panel(
        "Answers that were not errors of ours", "percentunit", "Everything but 5xx. Refusals are answers.",
        {
            rate("till_http_requests_total", "service", also=',status!~"5.."')
            + " / "
            + rate("till_http_requests_total", "service"): "{{service}}"
        }, floor=0.99,
    ),
    Panel(
        "Requests by route", "reqps", "Which part of the work it is.",
        {rate("till_http_requests_total", "service, method, route"): "{{service}} {{method}} {{route}}"},
    ),
    Panel(
        "Processors used", "short", "1 is a whole processor; a process of ours uses little more.",
        {rate("process_cpu_seconds_total", "service, part"): "{{service}} {{part}}"},
    ),
    Panel(
        "Memory", "bytes", "What each part holds in memory.",
        {f"sum by (service, part) (process_resident_memory_bytes{{{SERVICE}}})": "{{service}} {{part}}"},
    ),
    Panel(
        "Periodic jobs", "ops", "Runs a second, by how they ended.",
        {rate("till_job_runs_total", "service, job_name, outcome"): "{{service}} {{job_name}} {{outcome}}"},
    ),
    Panel(
        "Periodic jobs that failed, in 30 minutes", "short", "One that fails is tried again; one that goes on failing is looked at.",
        {
            grown("till_job_runs_total", "service, job_name", "30m")
            + " - "
            + grown("till_job_runs_total", "service, job_name", "30m", also=',outcome="done"'): "{{service}} {{job_name}}"
        }, limit=5,
    ),
]  # fmt: skip
PROJECTIONS = [
    Panel(
        "How old an answer may be", "s", "A read model shows everything published longer ago than this.",
        {largest("till_projection_age_seconds", "service, projection"): "{{service}} {{projection}}"}, limit=600,
    ),
    Panel(
        "Events folded", "eps", "What read models are made of.",
        {rate("till_projection_events_total", "service, projection"): "{{service}} {{projection}}"},
    ),
    Panel(
        "Fold of one batch", "s", "How long one read model takes for a batch.",
        quantiles("till_projection_fold_seconds", "projection"),
    ),
    Panel(
        "A whole batch, to its commit", "s", "All read models and reactions of a batch, in one transaction.",
        quantiles("till_batch_seconds", "consumer"),
    ),
    Panel(
        "Events in a batch", "short", "Large batches are a reader catching up.",
        quantiles("till_batch_events", "consumer"),
    ),
    Panel(
        "Batches tried again, in 15 minutes", "short", "After a failure that passes: a database that was away, a lock.",
        {grown("till_batch_retries_total", "consumer", "15m"): "{{consumer}}"}, limit=50,
    ),
    Panel(
        "Batches dropped because another has the partition, in 15 minutes", "short", "Two workers believed that a partition was theirs.",
        {grown("till_fenced_batches_total", "consumer", "15m"): "{{consumer}}"}, limit=5,
    ),
]  # fmt: skip
BUSINESS = [
    Panel(
        "Receipts and returns, in an hour", "short", "What was sold and what came back.",
        {
            'sum by (event) (increase(till_events_recorded_total{job="till",event=~"PurchaseRecorded|PurchaseReturned"}[1h]))': "{{event}}"
        },
    ),
    Panel(
        "Orders by status", "short", "As the chain's own workflow names them.",
        {'max by (status) (till_orders{job="till"})': "{{status}}"},
    ),
    Panel(
        "New customers, in an hour", "short", "Registered by tills, web shop and imports.",
        {'sum(increase(till_events_recorded_total{job="till",event="CustomerRegistered"}[1h]))': "customers"},
    ),
    Panel(
        "Points that customers can spend, or will", "short", "What the chain owes in points, by state of the lot.",
        {'max by (state) (till_loyalty_points{job="till"})': "{{state}}"},
    ),
    Panel(
        "Lots of points", "short", "Each purchase earns a lot with a date of its own.",
        {'max by (state) (till_loyalty_lots{job="till"})': "{{state}}"},
    ),
    Panel(
        "Holds of tills", "short", "Points set aside while a customer pays. Overdue ones go back by themselves.",
        {'max by (state) (till_loyalty_holds{job="till"})': "{{state}}"},
    ),
    Panel(
        "Messages by what became of them", "short", "E-mails and SMS since the beginning.",
        {'max by (channel, outcome) (till_messages{job="till"})': "{{channel}} {{outcome}}"},
    ),
    Panel(
        "Messages leaving the house", "ops", "Attempts a second, by how they ended.",
        {'sum by (kind, outcome) (rate(till_effects_total{job="till"}[$__rate_interval]))': "{{kind}} {{outcome}}"},
    ),
    Panel(
        "Messages waiting to leave", "short", "Not done yet.",
        {'max by (kind) (till_effects_waiting{job="till"})': "{{kind}}"},
    ),
    Panel(
        "Attempts in vain, of all in 15 minutes", "percentunit", "A gateway that is away; the messages are tried again.",
        {
            '1 - sum by (service, kind) (rate(till_effects_total{job="till",outcome!="again"}[15m])) / '
            'sum by (service, kind) (rate(till_effects_total{job="till"}[15m]))': "{{service}} {{kind}}"
        }, limit=0.5,
    ),
]  # fmt: skip
POSTGRESQL = [
    Panel(
        "From a save to its commit", "s", "What a command waits for the disk, together with those that share its transaction.",
        quantiles("till_append_seconds"),
    ),
    Panel(
        "Commands that shared a commit", "short", "The more come at once, the more share one.",
        quantiles("till_append_commands"),
    ),
    Panel(
        "Size", "bytes", "The log only grows; the rest can be built anew from it.",
        {largest("till_database_bytes", "service, what"): "{{service}} {{what}}"},
    ),
    Panel(
        "Transactions", "ops", "A second, by how they ended.",
        {f"max by (service, outcome) (rate(till_database_transactions{{{SERVICE}}}[$__rate_interval]))": "{{service}} {{outcome}}"},
    ),
    Panel(
        "Connections", "short", "Of the service and of whoever looks.",
        {largest("till_database_connections"): "{{service}}"},
    ),
    Panel(
        "Blocks found in memory", "percentunit", "Low and falling: the database wants more memory.",
        {
            f'max by (service) (till_database_blocks{{{SERVICE},source="memory"}}) / '
            f'(max by (service) (till_database_blocks{{{SERVICE},source="memory"}}) + '
            f'max by (service) (till_database_blocks{{{SERVICE},source="disk"}}))': "{{service}}"
        },
    ),
    Panel(
        "Oldest open transaction", "s", "One that stays open keeps PostgreSQL from cleaning up.",
        {largest("till_database_oldest_transaction_seconds"): "{{service}}"}, limit=300,
    ),
    Panel(
        "Saves refused because somebody was faster, and deadlocks, in an hour", "short",
        "Both are tried again. Many of one service: many want the same thing at once.",
        {
            grown("till_version_conflicts_total", "service", "1h"): "conflicts {{service}}",
            f"max by (service) (increase(till_database_deadlocks{{{SERVICE}}}[1h]))": "deadlocks {{service}}",
        },
    ),
]  # fmt: skip
BOARDS: dict[str, tuple[str, list[Panel]]] = {
    "event-flow": ("Event flow", EVENT_FLOW),
    "services": ("Services", SERVICES),
    "projections": ("Projections", PROJECTIONS),
    "business": ("Business", BUSINESS),
    "postgresql": ("PostgreSQL", POSTGRESQL),
}
