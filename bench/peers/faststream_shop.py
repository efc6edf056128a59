"""FastStream 0.7.8 on B5, as its documentation shows: a service for each step, one event at a time, a transaction for each.

`order` is a FastAPI application with FastStream's router that stores the order and publishes it; `loyalty` subscribes, adds the points and
returns what `@publisher` sends on; `notification` subscribes and inserts the message. `NACK_ON_ERROR` is the only policy of its that keeps
a record whose handler raised. Nothing ties a transaction to what is published after it: killed between the two, the order is stored and
nobody hears of it; killed before the offset is committed, its points are counted twice.
"""

import asyncio
import os
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.fastapi import KafkaRouter
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

MODE, KAFKA, GROUP = os.environ["MODE"], os.environ["KAFKA"], os.environ["GROUP"]
PLACED, EARNED = os.environ["ORDERS"], os.environ["POINTS"]
HOW = {"group_id": GROUP, "auto_offset_reset": "earliest", "ack_policy": AckPolicy.NACK_ON_ERROR}
pool = AsyncConnectionPool(os.environ["PG"], min_size=1, max_size=8, open=False)

PLACE = "INSERT INTO orders (order_id, customer_id, total_minor) VALUES (%s, %s, %s)"
ADD = """
INSERT INTO balances (customer_id, points, orders) VALUES (%s, %s, 1)
ON CONFLICT (customer_id) DO UPDATE SET points = balances.points + excluded.points, orders = balances.orders + 1
"""
ASK = "INSERT INTO message (key, customer_id, points) VALUES (%s, %s, %s) ON CONFLICT (key) DO NOTHING"


class OrderPlaced(BaseModel):
    order_id: str
    customer_id: str
    total_minor: int


class PointsEarned(BaseModel):
    order_id: str
    customer_id: str
    points: int


def order_service() -> None:
    router = KafkaRouter(KAFKA, logger=None)

    @router.post("/v1/orders", status_code=201)
    async def place(order: OrderPlaced) -> OrderPlaced:
        async with pool.connection() as connection:
            await connection.execute(PLACE, [order.order_id, order.customer_id, order.total_minor])
        await router.broker.publish(order, PLACED, key=order.customer_id.encode())
        return order

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        await pool.open()
        yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")


def loyalty_service(broker: KafkaBroker) -> None:
    @broker.subscriber(PLACED, **HOW)
    @broker.publisher(EARNED)
    async def earn(order: OrderPlaced) -> PointsEarned:
        points = order.total_minor // 100
        async with pool.connection() as connection:
            await connection.execute(ADD, [order.customer_id, points])
        return PointsEarned(order_id=order.order_id, customer_id=order.customer_id, points=points)


def notification_service(broker: KafkaBroker) -> None:
    @broker.subscriber(EARNED, **HOW)
    async def ask(earned: PointsEarned) -> None:
        async with pool.connection() as connection:
            await connection.execute(ASK, [earned.order_id, earned.customer_id, earned.points])


async def consume() -> None:
    broker = KafkaBroker(KAFKA, logger=None)
    (loyalty_service if MODE == "loyalty" else notification_service)(broker)
    await pool.open()
    await FastStream(broker).run()


if __name__ == "__main__":
    order_service() if MODE == "order" else asyncio.run(consume())
