import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from typer.testing import CliRunner

from till_platform.local.process import is_alive
from tillstream.local.directory import DataDirectory
from tillstream.local.services import installed_services
from tillstream.local.state import StackState
from tillstream.main import app

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
HERE = Path(__file__).parent
till = CliRunner()


class Supervisor:
    """One `till up` in a process of its own, and what it wrote."""

    def __init__(self, command: list[str], stack: "Stack") -> None:
        self._stack = stack
        with tempfile.NamedTemporaryFile(dir=stack.folder, suffix=".txt", delete=False) as output:
            self._output = Path(output.name)
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        stack.supervisors.append(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def await_ready(self) -> StackState:
        deadline = time.monotonic() + 240
        while not (state := StackState.read(self._stack.directory)).running or state.supervisor_pid != self.pid:
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)
        return state

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Sent the signal, if one is given, and waited for; its exit code and what it said."""
        if number is not None:
            self._process.send_signal(number)
        return self._process.wait(180), self.said()

    def said(self) -> str:
        return self._output.read_text()


class Stack:
    """A local Tillstream in which programs of a few lines stand in for the services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervisors: list[Supervisor] = []
        self.directory = DataDirectory(folder / "data")
        self.programs = folder / "programs"
        self.programs.mkdir()
        for name in installed_services():
            program = self.programs / f"till-{name}"
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "stand_in.py"} "$@"\n')
            program.chmod(0o755)

    def up(self, *ports: str) -> "Supervisor":
        return Supervisor(
            [sys.executable, str(HERE / "run_here.py"), str(self.directory.path), str(self.programs), *ports], self
        )

    def processes(self) -> list[psutil.Process]:
        def is_ours(process: psutil.Process) -> bool:
            with suppress(psutil.Error):
                return str(self.directory.path) in " ".join([*process.cmdline(), process.cwd()])
            return False

        return [process for process in psutil.process_iter() if is_ours(process)]

    def tell(self) -> None:
        """Print all that is known of how it went. pytest shows it when the test failed."""
        for supervisor in self.supervisors:
            print(f"--- supervisor {supervisor.pid} said\n{supervisor.said()}")  # noqa: T201
        for record in sorted(self.directory.run.glob("*.json")):
            print(f"--- {record.name}\n{record.read_text()}")  # noqa: T201
        for log in sorted(self.directory.logs.glob("*.log*")):
            last_lines = log.read_text(errors="replace").splitlines()[-20:]
            print(f"--- {log.name} ends with", *last_lines, sep="\n")  # noqa: T201
        print("--- still there", *self.processes(), sep="\n")  # noqa: T201


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    stack.tell()
    for process in stack.processes():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for supervisor in stack.supervisors:
        supervisor.end()


def test_killing_everything_and_starting_again_loses_nothing(stack: Stack) -> None:
    killed = stack.up()
    first = killed.await_ready()
    before = stack.processes()
    assert {process.pid for process in first.processes.values()} <= {process.pid for process in before}
    for process in before:
        process.kill()
    killed.end()
    state = StackState.read(stack.directory)
    assert (state.phase, state.problem) == ("stopped", "the supervisor was killed")

    supervisor = stack.up()
    second = supervisor.await_ready()

    assert [process for process in before if is_alive(process)] == []
    assert (second.kafka, second.apis, second.databases) == (first.kafka, first.apis, first.databases)
    with psycopg.connect(second.databases["order"]) as database:
        assert database.execute("SELECT count(*) FROM migrations").fetchone() == (2,)
    code, said = supervisor.end(signal.SIGINT)
    assert code == 0
    assert said.splitlines()[-3:] == ["kafka is stopped", "valkey is stopped", "postgres is stopped"]
    assert stack.processes() == []


def test_a_killed_supervisor_leaves_its_processes_to_the_next_one_and_to_down_which_stop_them(stack: Stack) -> None:
    killed = stack.up()
    left = [psutil.Process(process.pid) for process in killed.await_ready().processes.values()]
    killed.end(signal.SIGKILL)
    assert [process for process in left if not is_alive(process)] == []

    supervisor = stack.up()
    left_again = [psutil.Process(process.pid) for process in supervisor.await_ready().processes.values()]
    assert [process for process in left if is_alive(process)] == []
    assert "order was left running by a killed `till up`; it is stopped" in supervisor.said()

    supervisor.end(signal.SIGKILL)
    assert [process for process in left_again if not is_alive(process)] == []
    for stopped in (True, False):
        result = till.invoke(app, ["down", "--json", "--data-dir", str(stack.directory.path)])
        assert json.loads(result.stdout) == {"stopped": stopped}
        assert stack.processes() == []


def test_while_it_runs_status_gives_every_address_and_a_second_run_is_refused(stack: Stack) -> None:
    supervisor = stack.up()
    state = supervisor.await_ready()

    assert stack.directory.audit_key.stat().st_mode & 0o777 == 0o600
    assert "PUBLIC KEY" in stack.directory.audit_public_key.read_text()
    report = json.loads(till.invoke(app, ["status", "--json", "--data-dir", str(stack.directory.path)]).stdout)
    assert report["phase"] == "ready"
    assert set(report["services"]) == set(installed_services())
    for part in (
        report["kafka"],
        report["valkey"],
        report["postgres"],
        report["catchers"],
        *report["services"].values(),
    ):
        assert part["healthy"]
        assert psutil.pid_exists(part["pid"])
    assert report["services"]["order"]["lag"] == []
    with psycopg.connect(report["services"]["order"]["postgres"]) as database:
        assert database.execute("SELECT current_user").fetchone() == ("till_order",)

    code, why = stack.up().end()
    assert code == 1
    assert why.startswith("Tillstream is already running from")

    os.kill(state.processes["order"].pid or 0, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (order := StackState.read(stack.directory).processes["order"]).restarts < 1 or not order.healthy:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert order.pid != state.processes["order"].pid

    assert till.invoke(app, ["down", "--data-dir", str(stack.directory.path)]).exit_code == 0
    supervisor.end()
    assert stack.processes() == []
    assert StackState.read(stack.directory).phase == "stopped"


def test_a_service_that_cannot_migrate_is_named_with_its_cause_and_nothing_is_left_running(stack: Stack) -> None:
    (stack.programs / "till-order").write_text("#!/bin/sh\necho 'ERROR: column is missing' >&2\nexit 1\n")
    code, said = stack.up().end()
    assert code == 1
    assert said.splitlines()[-1].startswith("order ended right after its start (exit code 1): ERROR: column is missing")
    assert stack.processes() == []
    assert StackState.read(stack.directory).phase == "failed"


def test_a_taken_port_is_told_at_once(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        _, said = stack.up(f"postgres={port}").end()
    assert said.startswith(f"port {port}, asked for postgres, is taken by another program")
    assert stack.processes() == []
