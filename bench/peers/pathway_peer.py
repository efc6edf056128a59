"""Pathway 0.33: two groupings in its engine, written as snapshots. After a kill it reads everything again and converges."""

import pathway as pw
from job import job

JOB = job()


class Paid(pw.Schema):
    order_id: str
    payment_id: str
    method: str
    amount_minor: int
    paid_minor: int
    customer_id: str


settings = {"bootstrap.servers": JOB.kafka, "group.id": JOB.group, "auto.offset.reset": "earliest"}
if JOB.mode == "tuned":
    settings |= {"fetch.queue.backoff.ms": "5", "queued.min.messages": "400000", "fetch.wait.max.ms": "20"}
payments = pw.io.kafka.read(
    settings,
    topic=JOB.topic,
    format="json",
    schema=Paid,
    autocommit_duration_ms=200 if JOB.mode == "tuned" else 1500,
)
balances = payments.groupby(pw.this.customer_id).reduce(
    pw.this.customer_id, points=pw.reducers.sum(pw.this.amount_minor // 100), payments=pw.reducers.count()
)
# Within an order what is paid only grows: the greatest is the last.
last = payments.groupby(pw.this.order_id).reduce(newest=pw.reducers.argmax(pw.this.paid_minor))
orders = payments.ix(last.newest).select(
    pw.this.order_id,
    pw.this.customer_id,
    pw.this.payment_id,
    pw.this.method,
    pw.this.amount_minor,
    pw.this.paid_minor,
)
where = JOB.postgres
target = {name: where[name] for name in ("host", "port", "dbname", "user", "password") if name in where}
pw.io.postgres.write(
    balances, target, "balances", output_table_type="snapshot", primary_key=[balances.customer_id], max_batch_size=5_000
)
pw.io.postgres.write(
    orders, target, "orders", output_table_type="snapshot", primary_key=[orders.order_id], max_batch_size=5_000
)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
