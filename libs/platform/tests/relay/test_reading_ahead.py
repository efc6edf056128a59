"""What the relay reads while Kafka writes what came before."""

import asyncio
from types import SimpleNamespace

from till_platform.relay.relay import Relay

ROW = (1001, "order-1")


class Log(Relay):
    """A log in which there is one more event now."""

    def __init__(self):
        super().__init__("order", None, SimpleNamespace(topic="till.order"))

    def _read(self, position):
        return [ROW]


async def read_earlier(rows):
    return rows


async def test_what_was_read_ahead_is_what_is_published_next():
    log = Log()
    log._ahead = asyncio.create_task(read_earlier([(1, "order-0")]))
    assert await log._next() == [(1, "order-0")]
    assert await log._next() == [ROW]


async def test_where_there_was_nothing_yet_it_looks_again_since_whoever_appended_has_called_already():
    log = Log()
    log._ahead = asyncio.create_task(read_earlier([]))
    assert await log._next() == [ROW]
