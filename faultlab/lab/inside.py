"""What the nemesis can do inside an instance: die at a point, be slow, take records in another order, have another clock.

An instance is told to `obey` before it starts. Production code knows nothing of it and has no switch for it: what is named here is wrapped,
and looks for an order whenever it is passed.
"""

import functools
import inspect
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from faultlab.lab.orders import Orders
from till_platform.clock import SystemClock
from till_platform.effects import sender
from till_platform.effects.sender import SenderLoop
from till_platform.eventstore import append as appending
from till_platform.eventstore import commit_lanes, commit_thread
from till_platform.eventstore.log import Log
from till_platform.relay.relay import Relay
from till_platform.worker import transaction
from till_platform.worker.transaction import BatchTransaction

SLOW, SHUFFLED, CLOCK = "slow", "shuffled", "clock"
LEASE = timedelta(seconds=8)
"""How long a message is one sender's own, a minute in production: here freezes outlast it, and another one sends meanwhile."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in production code: just before or just after something is done, if it is done for what matters here."""

    owner: Any
    name: str
    after: bool
    matters: Callable[[dict[str, Any], Any], bool] = lambda _given, _result: True


def _of_an_effect(given: dict[str, Any], _: Any) -> bool:
    return given.get("done") is not None


POINTS = {
    "command-written-not-committed": Point(commit_thread, "append", after=True),
    "command-committed-not-answered": Point(commit_lanes, "_append", after=True),
    "read-not-sent": Point(Relay, "_publish", after=False),
    "sent-not-marked": Point(Relay, "_mark", after=False),
    "marked": Point(Relay, "_mark", after=True),
    "folded-checkpoint-not-moved": Point(transaction, "advance", after=False),
    "checkpoint-moved-not-committed": Point(BatchTransaction, "_apply", after=True),
    "batch-committed": Point(BatchTransaction, "_commit", after=True),
    "effect-claimed": Point(SenderLoop, "_claim", after=True, matters=lambda _, claimed: bool(claimed)),
    "gateway-has-it-not-recorded": Point(Log, "save", after=False, matters=_of_an_effect),
    "outcome-recorded": Point(Log, "save", after=True, matters=_of_an_effect),
}
"""Where an instance can be told to die, as if it were killed there."""
OF_EFFECTS = frozenset({"effect-claimed", "gateway-has-it-not-recorded", "outcome-recorded"})
"""Only who sends something comes by these."""


def obey(directory: str) -> None:
    """Look for orders there from now on."""
    orders = Orders(Path(directory))
    for name, point in POINTS.items():
        setattr(point.owner, point.name, _trapped(orders, name, point))
    BatchTransaction.take = _slowed(orders, BatchTransaction.take)  # type: ignore[method-assign]
    AIOKafkaConsumer.getmany = _shuffled(orders, AIOKafkaConsumer.getmany)
    _turn_clocks(orders)
    sender.LEASE = LEASE


def _trapped(orders: Orders, name: str, point: Point) -> Any:
    """Return a function that does what it did, unless it is ordered to die there."""
    real = getattr(point.owner, point.name)

    def come_by(given: dict[str, Any], result: Any = None) -> None:
        if point.matters(given, result) and orders.take(name):
            os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(real):

        @functools.wraps(real)
        async def waited(*arguments: Any, **given: Any) -> Any:
            if not point.after:
                come_by(given)
            result = await real(*arguments, **given)
            if point.after:
                come_by(given, result)
            return result

        return waited

    @functools.wraps(real)
    def called(*arguments: Any, **given: Any) -> Any:
        if not point.after:
            come_by(given)
        result = real(*arguments, **given)
        if point.after:
            come_by(given, result)
        return result

    return called


def _slowed(orders: Orders, real: Any) -> Any:
    @functools.wraps(real)
    def take(*arguments: Any, **given: Any) -> Any:
        if seconds := orders.stands(SLOW):
            time.sleep(seconds)
        return real(*arguments, **given)

    return take


def _shuffled(orders: Orders, real: Any) -> Any:
    """Batches end anywhere, and partitions come in any order; within a partition order is Kafka's promise."""

    @functools.wraps(real)
    async def getmany(*arguments: Any, **given: Any) -> Any:
        if orders.stands(SHUFFLED) is None:
            return await real(*arguments, **given)
        if most := given.get("max_records"):
            given["max_records"] = random.randint(1, min(most, random.choice([1, 10, 100, most])))
        polled = list((await real(*arguments, **given)).items())
        random.shuffle(polled)
        return dict(polled)

    return getmany


def _turn_clocks(orders: Orders) -> None:
    """What the service takes for the present is off; the machine's own clock is not, and no token runs out by it."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=orders.stands(CLOCK) or 0)

    appending.datetime = Wrong  # type: ignore[attr-defined]
    real = SystemClock.now
    SystemClock.now = lambda self: real(self) + timedelta(seconds=orders.stands(CLOCK) or 0)  # type: ignore[method-assign]
