"""How much room there is between what Kafka keeps and what a worker still needs."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from till_platform.worker.loop import WorkerLoop

EVERY_SECONDS = 30.0
_log = structlog.get_logger(__name__)


class Headroom:
    """Asks Kafka now and then for the oldest offset it keeps. Topics are kept for ever: if it moves, somebody shortens them."""

    def __init__(self, worker: WorkerLoop) -> None:
        self.failure: Exception | None = None
        self._worker = worker
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    async def run(self) -> None:
        """Ask until `stop`, and at once when the worker has been given partitions."""
        while not self._stop.is_set():
            wait = EVERY_SECONDS
            try:
                if not await self._worker.ask_for_oldest():
                    wait = 1.0
            except (KafkaError, OSError) as error:
                _log.debug("headroom_again", error=type(error).__name__)
            try:
                await asyncio.wait_for(self._stop.wait(), wait)
            except TimeoutError:
                continue
