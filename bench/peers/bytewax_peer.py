"""Bytewax 0.21. `converging`: totals are its recoverable state, and the sink writes them absolutely. `increment`: the sink folds and adds.

Both with recovery: what was read since the last snapshot is read again after a kill. Then the first converges, the second counts twice.
"""

from pathlib import Path

import psycopg
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from job import INCREMENT, SET_BALANCES, SET_ORDERS, Fold, Payment, array, job, last_payments, read

JOB = job()
FETCHING = {
    "fetch.queue.backoff.ms": "5",
    "queued.min.messages": "400000",
    "fetch.wait.max.ms": "20",
    "fetch.max.bytes": "16000000",
}


class Total(StatefulBatchLogic):
    """Points and payments of one customer."""

    def __init__(self, before: tuple[int, int] | None) -> None:
        self.points, self.payments = before or (0, 0)

    def on_batch(self, values: list[int]) -> tuple[list[tuple[int, int]], bool]:
        self.points += sum(amount // 100 for amount in values)
        self.payments += len(values)
        return [(self.points, self.payments)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> tuple[int, int]:
        return (self.points, self.payments)


class Writer(StatelessSinkPartition):
    """Has a connection."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(JOB.pg, autocommit=True)


class Totals(Writer):
    def write_batch(self, items: list[tuple[str, tuple[int, int]]]) -> None:
        last = dict(items)
        points, payments = [one[0] for one in last.values()], [one[1] for one in last.values()]
        self.connection.execute(SET_BALANCES, [array(last), array(points), array(payments)])


class Orders(Writer):
    def write_batch(self, items: list[Payment]) -> None:
        self.connection.execute(SET_ORDERS, last_payments({payment.order_id: payment for payment in items}))


class Both(Writer):
    def write_batch(self, items: list[Payment]) -> None:
        fold = Fold()
        for payment in items:
            fold.take(payment)
        with self.connection.transaction():
            self.connection.execute(INCREMENT, fold.balances())
            self.connection.execute(SET_ORDERS, fold.last_payments())


class To(DynamicSink):
    """Writes with one kind of writer."""

    def __init__(self, writer: type[Writer]) -> None:
        self._writer = writer

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Writer:  # noqa: ARG002
        return self._writer()


def flow() -> Dataflow:
    made = Dataflow("payments")
    source = KafkaSource([JOB.kafka], [JOB.topic], batch_size=1_000, add_config=FETCHING)
    messages = op.input("kafka", made, source)
    if JOB.mode == "increment":
        payments = op.flat_map_batch("read", messages, lambda batch: [read(message.value) for message in batch])
        op.output("both", payments, To(Both))
        return made
    payments = op.flat_map_batch("read", messages, lambda batch: [read(message.value) for message in batch])
    keyed = op.flat_map_batch("key", payments, lambda batch: [(one.customer_id, one.amount_minor) for one in batch])
    op.output("balances", op.stateful_batch("total", keyed, Total), To(Totals))
    op.output("orders", payments, To(Orders))
    return made


if __name__ == "__main__":
    recovery = Path(JOB.folder) / "recovery"
    if not recovery.exists():
        recovery.mkdir()
        init_db_dir(recovery, 1)
    cli_main(flow(), recovery_config=RecoveryConfig(str(recovery)))
