"""One process of a service: its API, its worker or its relay, or several of them."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

import structlog
import uvicorn
from fastapi import FastAPI

from till_events.base import declaration_of
from till_platform.audit.signing import Signing
from till_platform.auth import Tokens
from till_platform.batch import Batch
from till_platform.clock import SystemClock
from till_platform.effects.sender import SenderLoop
from till_platform.gauges import Gauges
from till_platform.http import operations
from till_platform.http.app import create_app
from till_platform.http.probes import Check, NotReady
from till_platform.jobs import HOUSEKEEPING, JobLoop
from till_platform.kafka.mending import mend_connections
from till_platform.kafka.refusals import explain
from till_platform.kafka.signatures import signer_of, trust_of
from till_platform.kafka.subscriber import make_broker, subscribe
from till_platform.parts import Parts, open_parts
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import POLL_SECONDS, WOKEN_POLL_SECONDS, Relay
from till_platform.service import Service, asyncapi
from till_platform.settings import Settings
from till_platform.telemetry.export import configure_export
from till_platform.webhooks.calling import WebhookLoop
from till_platform.worker.headroom import Headroom
from till_platform.worker.loop import LONGEST_PAUSE, MOST_DOUBLINGS, WorkerLoop
from till_platform.worker.measures import Measures
from till_platform.worker.reading import Reader
from till_platform.worker.transaction import BatchTransaction, Taken

Role = Literal["api", "worker", "relay"]
STUCK_SECONDS = 60.0
SWITCH_SECONDS = 0.001
"""How long a busy thread may keep the interpreter from one that answers a request."""
OBJECTS_WHILE_ANSWERING, OBJECTS_IN_BATCHES = 50_000, 500_000
"""Python looks for unreachable cycles after so many new objects. The 700 it comes with have it look through everything at hand over and
over, which took a tenth of the API's time while it takes receipts. Of a batch nothing is in cycles, and two batches of 5,000 records, one
being written and one being read, are a quarter of a million objects: with less room a rebuild spends a fifth of its time on looking.
"""
_log = structlog.get_logger(__name__)


@dataclass
class Running:
    """What goes on in one process of a service.

    `started` is called when everything has begun; `woken` says that somebody else's process knocks when it has appended; `checks` are
    what else must be well for this process to be ready.
    """

    service: Service
    settings: Settings
    roles: frozenset[Role]
    started: Callable[["Running"], None] = lambda _: None
    woken: bool = False
    checks: Mapping[str, Check] = field(default_factory=dict)
    parts: Parts | None = None
    worker: WorkerLoop | None = None
    relay: Relay | None = None
    senders: list[SenderLoop] = field(default_factory=list)
    jobs: list[JobLoop] = field(default_factory=list)
    gauges: Gauges | None = None
    signing: Signing | None = None
    headroom: Headroom | None = None
    webhooks: WebhookLoop | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def new_transaction(self) -> BatchTransaction:
        """Return a way to take facts for the worker's loop, or for dead letters that an operator releases; one per thread."""
        assert self.parts is not None
        service = self.service
        return BatchTransaction(service.consumer, service.projections, service.reactions, self.parts.clock.now)

    @property
    def failures(self) -> dict[str, Exception]:
        """What stopped for good, by name: a bug, or a topic that lost events."""
        loops: list[tuple[str, Any]] = [("worker", self.worker), ("relay", self.relay), ("webhooks", self.webhooks)]
        loops += [(f"sender of {loop.sender.kind}", loop) for loop in self.senders]
        loops += [(f"job {loop.job.name}", loop) for loop in self.jobs]
        return {name: loop.failure for name, loop in loops if loop is not None and loop.failure is not None}

    async def committed(self, taken: Taken) -> None:
        """A batch is committed: let those know who have work from it."""
        if taken.events and self.relay:
            self.relay.wake()
        if taken.effects:
            for sender in self.senders:
                sender.wake()
        assert self.parts is not None
        for watcher in self.service.watchers if taken.facts else ():
            try:
                await watcher.committed(Batch(taken.facts), self.parts)
            except Exception as error:  # noqa: BLE001 - a cache that cannot be refreshed must not stop the worker
                _log.warning("watcher_failed", watcher=type(watcher).__name__, error=type(error).__name__)


def tune_interpreter(objects: int = OBJECTS_IN_BATCHES) -> None:
    """Let threads take turns often, look for cycles seldom, and never again among what is loaded already."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(objects)


def serve(
    service: Service, settings: Settings, roles: frozenset[Role], *, listener: socket.socket | None = None, **more: Any
) -> None:
    """Run until told to stop, on a socket that listens already if one is given. `more` is what `Running` may be told besides."""
    tune_interpreter(OBJECTS_WHILE_ANSWERING if "api" in roles else OBJECTS_IN_BATCHES)
    mend_connections()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(0)
    )  # uvicorn raises it again in the end: what is open is still closed
    flush = configure_export(settings)
    config = uvicorn.Config(
        build_app(Running(service, settings, roles, **more)),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = _Server(config)
    try:
        server.run([listener] if listener else None)
        if not server.started:
            sys.exit(3)
    finally:
        flush()


class _Server(uvicorn.Server):
    """Tells what goes on for ever that it is to end, before it waits for what is open."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.ending.set()
        super().handle_exit(sig, frame)


def build_app(running: Running) -> FastAPI:
    """Return the app of a process: the service's routes if it is an API, and in any case probes, figures and operations."""
    service = running.service

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            running.parts = await stack.enter_async_context(open_parts(running.settings))
            app.state.parts = running.parts
            app.state.running = running
            stack.push_async_callback(_stop, running)
            await _start(running)
            running.started(running)
            yield

    return create_app(
        service.name,
        service.version,
        routers=[*(service.api if "api" in running.roles else ()), operations.router],
        tokens=Tokens.of(running.settings, SystemClock()),
        checks=_checks(running),
        asyncapi=lambda: asyncapi(service),
        lifespan=lifespan,
    )


async def _start(running: Running) -> None:
    assert running.parts is not None
    parts, service = running.parts, running.service
    if "relay" in running.roles:
        alone = not (running.woken or {"api", "worker"} <= running.roles)
        running.relay = Relay(
            service.name,
            parts.connect,
            KafkaSide(running.settings),
            signer=signer_of(running.settings),
            idle_seconds=POLL_SECONDS if alone else WOKEN_POLL_SECONDS,
        )
        loop = asyncio.get_running_loop()
        wake = running.relay.wake
        parts.committer.on_commit(lambda: wake_from_thread(loop, wake))
        _begin(running, running.relay.run())
    if "worker" in running.roles:
        running.worker = WorkerLoop(
            service.consumer,
            Reader(service.reads, trust_of(running.settings)),
            running.new_transaction(),
            parts.connect,
            committed=running.committed,
            measures=Measures(service.consumer, _topics_of(running)),
            max_records=running.settings.max_batch,
        )
        _begin(running, _consume(running))
        running.senders = [
            SenderLoop(make(parts), parts.pool, parts.threads, parts.clock.now) for make in service.senders
        ]
        running.signing = Signing(running.settings)
        jobs = [*service.jobs, *HOUSEKEEPING, *running.signing.jobs]
        running.jobs = [JobLoop(job, parts, parts.connect) for job in jobs]
        running.gauges = Gauges(parts, service.consumer, service.figures)
        running.headroom = Headroom(running.worker)
        running.webhooks = WebhookLoop(parts, trusted=running.settings.trusted_hosts)
        _begin(running, running.gauges.run())
        _begin(running, running.headroom.run())
        _begin(running, running.webhooks.run())
        for sender in running.senders:
            _begin(running, sender.run())
        for job in running.jobs:
            _begin(running, job.run())


def _topics_of(running: Running) -> dict[str, list[str]]:
    """Return the topics that each read model is built of."""
    return {
        part.name: sorted({running.settings.topic(declaration_of(event).owner) for event in part.of})
        for part in running.service.projections
    }


def wake_from_thread(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
    """Call `wake` on the event loop; nobody is there to be woken once it is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(wake)


async def _consume(running: Running) -> None:
    """Keep trying to reach Kafka, then read until the loop ends."""
    assert running.worker is not None
    failures = 0
    while True:
        broker = make_broker(running.settings)
        subscribe(broker, running.worker, running.service.sources, running.settings)
        try:
            await broker.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, Kafka may be well again in a moment
            why = await explain(error, running.settings)
            running.worker.refused.note(why)
            _log.warning("kafka_not_reached", error=type(error).__name__, why=why)
        else:
            failures = 0
            running.worker.refused.forget()
            await running.worker.parted.wait()
        await broker.stop()
        if running.worker.ended.is_set() or running.worker.stopping:
            return
        failures += 1
        await asyncio.sleep(min(LONGEST_PAUSE, 0.5 * 2 ** min(failures, MOST_DOUBLINGS)))


def _begin(running: Running, work: Any) -> None:
    task = asyncio.create_task(_kept(work))
    running.tasks.append(task)


async def _kept(work: Awaitable[None]) -> None:
    """A loop that fails has said so and is kept in its `failure`: readiness tells."""
    try:
        await work
    except Exception:  # noqa: BLE001
        return


async def _stop(running: Running) -> None:
    """Let every loop end what it has begun."""
    for loop in [
        running.worker,
        running.relay,
        running.gauges,
        running.headroom,
        running.webhooks,
        *running.senders,
        *running.jobs,
    ]:
        if loop is not None:
            loop.stop()
    if running.tasks:
        _, late = await asyncio.wait(running.tasks, timeout=30)
        for task in late:
            task.cancel()


def _checks(running: Running) -> dict[str, Check]:
    async def database() -> Any:
        assert running.parts is not None
        return {"position": await running.parts.log.position()}

    async def loops() -> Any:
        for name, failure in running.failures.items():
            raise NotReady(f"{name} stopped: {type(failure).__name__}: {failure}")

    async def projections() -> Any:
        age = round(running.worker.measures.age, 3) if running.worker else 0.0
        limit = running.settings.ready_age_seconds
        if limit is not None and age > limit:
            raise NotReady("read models are older than they may be", age_seconds=age, allowed_seconds=limit)
        return {"age_seconds": age}

    async def signing() -> Any:
        return await running.signing.standing() if running.signing else None

    checks: dict[str, Check] = {"database": database, "loops": loops, **running.checks}
    if "worker" in running.roles:
        checks["worker"] = _progress(lambda: running.worker)
        checks["projections"] = projections
        checks["audit"] = signing
    if "relay" in running.roles:
        checks["relay"] = _progress(lambda: running.relay)
    return checks


def _progress(loop: Callable[[], Any]) -> Check:
    async def moves() -> Any:
        found = loop()
        if found is None or not found.ready:
            raise NotReady(getattr(found, "refusal", None) or "has not reached Kafka yet")
        idle = time.monotonic() - found.turned_at
        if idle > STUCK_SECONDS:
            raise NotReady(f"has not moved for {idle:.0f} s")
        return {"idle_seconds": round(idle, 3)}

    return moves
