import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from till_platform.local import LocalProblem
from till_platform.local.part import Part
from tillstream.local.supervisor import Supervisor

SERVES = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
DIES = "print('FATAL: no such table', flush=True); raise SystemExit(3)"


class Program(Part):
    start_patience_seconds = 20.0

    def __init__(self, name: str, data_dir: Path, history: list[str], program: str = SERVES) -> None:
        super().__init__(name, data_dir)
        self.program = program
        self._history = history
        self._ready = data_dir / f"{name}.ready"

    @property
    def address(self) -> str:
        return "nowhere"

    def prepare(self) -> None:
        self._ready.unlink(missing_ok=True)

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.program, str(self._ready)]

    def is_ready(self) -> bool:
        return self._ready.exists()

    def start(self) -> None:
        super().start()
        self._history.append(f"{self.name} started")

    def stop(self) -> None:
        if self.running:
            self._history.append(f"{self.name} stopped")
        super().stop()


class Run:
    """A supervisor under way, what it said and what happened."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.said: list[str] = []
        self.history: list[str] = []

    def program(self, name: str, program: str = SERVES) -> Program:
        return Program(name, self.folder, self.history, program)

    def start(self, *groups: Sequence[Part]) -> None:
        def migrate() -> None:
            self.history.append("migrated")

        self.ready = asyncio.Event()
        self.supervisor = Supervisor(groups, say=self.said.append, changed=lambda: None, before_last=migrate)
        self.task = asyncio.ensure_future(self.supervisor.run(self.ready.set))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_parts_start_in_order_and_stop_in_the_opposite_order(run: Run) -> None:
    run.start([run.program("postgres")], [run.program("kafka")], [run.program("order")])
    await run.ready.wait()
    await run.stop()
    assert run.history == [
        "postgres started",
        "kafka started",
        "migrated",
        "order started",
        "order stopped",
        "kafka stopped",
        "postgres stopped",
    ]


async def test_a_service_that_is_killed_is_started_again_and_said_so(run: Run) -> None:
    order = run.program("order")
    run.start([run.program("postgres")], [order])
    await run.ready.wait()
    killed = order.pid
    order.kill()
    await eventually(lambda: order in run.supervisor.healthy and order.pid not in (None, killed))
    await run.stop()
    assert run.supervisor.restarts[order] == 1
    assert "order DIED by SIGKILL; it is started again in 0.5 s (restart 1)" in run.said


async def test_a_service_that_keeps_dying_is_given_longer_and_longer_pauses(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillstream.local.supervisor.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("tillstream.local.supervisor.LONGEST_PAUSE_SECONDS", 0.04)
    order, postgres = run.program("order"), run.program("postgres")
    run.start([postgres], [order])
    await run.ready.wait()
    order.program = DIES
    order.kill()
    await eventually(lambda: run.supervisor.restarts[order] >= 4)
    assert postgres in run.supervisor.healthy
    assert order not in run.supervisor.healthy
    await run.stop()
    deaths = [line for line in run.said if "DIED" in line]
    assert [line.split(" in ")[1].split(" s ")[0] for line in deaths[:4]] == ["0.01", "0.02", "0.04", "0.04"]
    assert any("FATAL: no such table" in line for line in run.said)


async def test_a_part_that_does_not_come_up_stops_what_had_come_up(run: Run) -> None:
    postgres = run.program("postgres")
    run.start([postgres], [run.program("order", DIES)])
    with pytest.raises(LocalProblem, match="order ended right after its start"):
        await run.task
    assert not postgres.running
    assert run.history == ["postgres started", "migrated", "postgres stopped"]


async def test_ctrl_c_while_a_part_is_starting_leaves_nothing_running(run: Run) -> None:
    slow = run.program("kafka", "import time; time.sleep(600)")
    postgres = run.program("postgres")
    run.start([postgres], [slow], [run.program("order")])
    await eventually(lambda: slow.running)
    await asyncio.wait_for(run.stop(), timeout=15)
    assert not slow.running
    assert not postgres.running
