"""What aiokafka 0.14 does not survive by itself: a connection that breaks at the wrong moment."""

import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def _send_or_say_that_it_is_broken(connection: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    try:
        return _send(connection, request, expect_response)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error


def mend_connections() -> None:
    """Let every client of this process hear that a connection is broken as it expects to hear it.

    Who writes to a socket that was reset a moment ago gets an OSError from asyncio, for which aiokafka is made, but a RuntimeError from
    uvloop. That one ends the task that fetches: the consumer keeps its partitions and its place in the group, and reads nothing for ever.
    """
    AIOKafkaConnection.send = _send_or_say_that_it_is_broken


def has_died(consumer: AIOKafkaConsumer) -> bool:
    """Whether a task that a consumer lives by has ended, whatever ended it: it will read nothing more, and only a new one will.

    Then `getmany` returns nothing, or fails each time; https://github.com/aio-libs/aiokafka/issues/983 is one way to come there.
    """
    tasks = [
        getattr(getattr(consumer, "_fetcher", None), "_fetch_task", None),
        getattr(getattr(consumer, "_coordinator", None), "_coordination_task", None),
    ]
    return any(task is not None and task.done() for task in tasks)


async def bury(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer that died: its stop leaves the group, and then raises what its task died of instead of closing connections."""
    with contextlib.suppress(KafkaError):
        await consumer.stop()
    await consumer._client.close()  # noqa: SLF001 - nothing else closes them
