"""Faust 0.15.3 (faust-streaming): `take(500)` folded into one transaction. Offsets are committed apart, so a kill counts some twice."""

import faust
import psycopg
from job import INCREMENT, SET_ORDERS, Fold, job, read

JOB = job()
app = faust.App(
    JOB.group,
    broker=f"kafka://{JOB.kafka}",
    store="memory://",
    value_serializer="raw",
    topic_partitions=JOB.partitions,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
    datadir=f"{JOB.folder}/faust",
)
topic = app.topic(JOB.topic, value_serializer="raw", key_serializer="raw")


@app.agent(topic)
async def project(stream):
    connection = await psycopg.AsyncConnection.connect(JOB.pg, autocommit=True)
    async for values in stream.take(500, within=0.2):
        fold = Fold()
        for value in values:
            fold.take(read(value))
        async with connection.transaction():
            await connection.execute(INCREMENT, fold.balances())
            await connection.execute(SET_ORDERS, fold.last_payments())


if __name__ == "__main__":
    import sys

    sys.argv[1:] = ["worker", "-l", "warn", "--without-web"]
    app.main()
