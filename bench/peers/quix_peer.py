"""Quix Streams 3.28. `default`: state by customer and its PostgreSQLSink as documented. `tuned`: shorter intervals, fetches of 16 MB,
msgspec for the JSON, and a sink of our own that writes a batch in one statement. At least once; state and changelog let it converge.
"""

from typing import Any

import psycopg
from job import SET_BALANCES, SET_ORDERS, array, job
from msgspec import json
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch
from quixstreams.sinks.community.postgresql import PostgreSQLSink

JOB = job()
TUNED = JOB.mode == "tuned"
ORDER = ("order_id", "customer_id", "payment_id", "method", "amount_minor", "paid_minor")


class OneStatement(BatchingSink):
    """The last row of each key of a batch, in one statement."""

    def __init__(self, query: str, columns: tuple[str, ...]) -> None:
        super().__init__()
        self._query, self._columns = query, columns

    def setup(self) -> None:
        self._connection = psycopg.connect(JOB.pg, autocommit=True)

    def write(self, batch: SinkBatch) -> None:
        rows = {item.value[self._columns[0]]: item.value for item in batch}.values()
        self._connection.execute(self._query, [array(row[name] for row in rows) for name in self._columns])


def theirs(table: str, key: str) -> PostgreSQLSink:
    """Their sink, upserting."""
    place = JOB.postgres
    return PostgreSQLSink(
        host=place["host"],
        port=int(place["port"]),
        dbname=place["dbname"],
        user=place["user"],
        password=place.get("password", ""),
        table_name=table,
        primary_key_columns=key,
        upsert_on_primary_key=True,
        include_metadata=False,
        schema_auto_update=False,
    )


def total(payment: dict[str, Any], state: Any) -> dict[str, Any]:
    """Add a payment to what its customer has."""
    points, payments = state.get("total", (0, 0))
    points, payments = points + payment["amount_minor"] // 100, payments + 1
    state.set("total", (points, payments))
    return {"customer_id": payment["customer_id"], "points": points, "payments": payments}


def last(payment: dict[str, Any]) -> dict[str, Any]:
    """Return what the table of orders keeps."""
    return {name: payment[name] for name in ORDER}


def main() -> None:
    tuned = {
        "commit_interval": 1.0,
        "consumer_extra_config": {
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 400_000,
            "fetch.wait.max.ms": 20,
            "fetch.max.bytes": 16_000_000,
            "max.partition.fetch.bytes": 4_000_000,
        },
        "max_partition_buffer_size": 100_000,
    }
    app = Application(
        broker_address=JOB.kafka,
        consumer_group=JOB.group,
        auto_offset_reset="earliest",
        state_dir=f"{JOB.folder}/state",
        **(tuned if TUNED else {}),
    )
    topic = app.topic(JOB.topic, value_deserializer="bytes" if TUNED else "json")
    payments = app.dataframe(topic)
    if TUNED:
        payments = payments.apply(json.decode)
    balances = (
        OneStatement(SET_BALANCES, ("customer_id", "points", "payments"))
        if TUNED
        else theirs("balances", "customer_id")
    )
    orders = OneStatement(SET_ORDERS, ORDER) if TUNED else theirs("orders", "order_id")
    payments.apply(total, stateful=True).sink(balances)
    payments.apply(last).sink(orders)
    app.run()


if __name__ == "__main__":
    main()
