import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from till_platform.local.part import Part, find_cause
from till_platform.local.ports import is_free
from till_platform.local.problem import LocalProblem
from till_platform.local.process import RecordedProcess
from till_platform.testing.running import eventually

SERVES = "import pathlib, time; pathlib.Path('ready').touch(); print('serving', flush=True); time.sleep(600)"
DIES = "print('ERROR: the disk is on fire', flush=True); raise SystemExit(3)"
LISTENS = "import socket, sys; it = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
NEVER_READY = "import time; time.sleep(600)"
CROWD = f"""
import threading
def rush():
    while True:
        sum(range(1000))
for _ in range(8):
    threading.Thread(target=rush, daemon=True).start()
{SERVES}"""
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"


class Program(Part):
    start_patience_seconds = 10.0

    def __init__(self, data_dir: Path, program: str = SERVES) -> None:
        super().__init__("program", data_dir)
        self.program = program

    @property
    def address(self) -> str:
        return "nowhere"

    def prepare(self) -> None:
        (self.data_dir / "ready").unlink(missing_ok=True)

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.program]

    def is_ready(self) -> bool:
        return (self.data_dir / "ready").exists()


class Listener(Program):
    """Is ready when somebody answers on its port, whoever that is."""

    def __init__(self, data_dir: Path, port: int) -> None:
        super().__init__(data_dir, f"import time; time.sleep(0.5); {SERVES.replace('time.sleep(600)', LISTENS)}")
        self.port = port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return [*super().command(), str(self.port)]

    def is_ready(self) -> bool:
        return not is_free(self.port)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    made: list[Program] = []

    def make(text: str = SERVES) -> Program:
        made.append(Program(tmp_path, text))
        return made[-1]

    yield make
    for part in made:
        part.kill()


def test_a_part_is_up_when_its_start_returns_and_gone_when_its_stop_returns(program: Callable[..., Program]) -> None:
    part = program()
    part.start()
    pid = part.pid
    assert part.running
    assert pid is not None
    part.stop()
    assert not part.running
    assert not psutil.pid_exists(pid)


def test_an_answer_of_another_program_on_its_port_does_not_make_a_part_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalProblem, match="Address already in use"):
            Listener(tmp_path, port).start()
    part = Listener(tmp_path, port)
    part.start()
    assert part.running
    part.stop()


def test_a_part_that_dies_on_start_is_one_line_with_the_cause_from_its_log(program: Callable[..., Program]) -> None:
    with pytest.raises(LocalProblem) as failure:
        program(DIES).start()
    assert failure.value.problem == "program ended right after its start (exit code 3): ERROR: the disk is on fire"
    assert "program.log" in failure.value.remedy


def test_a_part_that_does_not_get_ready_is_not_left_running(program: Callable[..., Program]) -> None:
    part = program(NEVER_READY)
    part.start_patience_seconds = 0.3
    with pytest.raises(LocalProblem, match="was not ready after"):
        part.start()
    assert not part.running


def test_a_program_that_is_not_there_is_a_local_problem(
    program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = program()
    monkeypatch.setattr(part, "command", lambda: ["/nowhere/at-all"])
    with pytest.raises(LocalProblem, match="cannot be started"):
        part.start()


def test_a_part_that_ignores_the_request_to_end_is_killed(program: Callable[..., Program]) -> None:
    part = program(DEAF)
    part.stop_patience_seconds = 0.2
    part.start()
    part.stop()
    assert not part.running


def test_a_frozen_part_can_be_stopped(program: Callable[..., Program]) -> None:
    part = program()
    part.start()
    part.freeze()
    part.stop()
    assert not part.running


def test_a_frozen_part_stands_still_with_every_thread_once_it_is_frozen(program: Callable[..., Program]) -> None:
    part = program(CROWD)
    part.start()
    threads = [psutil.Process(thread.id) for thread in psutil.Process(part.pid).threads()]
    assert len(threads) == 9
    for _ in range(5):
        part.freeze()
        assert {thread.status() for thread in threads} == {psutil.STATUS_STOPPED}
        part.thaw()
        eventually(lambda: all(thread.status() != psutil.STATUS_STOPPED for thread in threads))


def test_what_an_earlier_owner_left_running_is_stopped_before_the_next_start(program: Callable[..., Program]) -> None:
    left = program()
    left.start()
    leftover = left.pid
    successor = program()
    successor.start()
    assert successor.pid != leftover
    assert left.process.exit_code == -signal.SIGTERM


def test_a_process_that_merely_has_the_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "program.json").write_text(json.dumps({"pid": os.getpid(), "created": time.time() - 86_400}))
    assert not RecordedProcess("program", tmp_path).find_leftover()


def test_the_process_with_the_recorded_pid_and_start_time_is_found(tmp_path: Path) -> None:
    me = psutil.Process()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "program.json").write_text(json.dumps({"pid": me.pid, "created": me.create_time()}))
    assert RecordedProcess("program", tmp_path).find_leftover()


@pytest.mark.parametrize(
    ("log", "cause", "remedy"),
    [
        (
            ["LOG: starting", "PANIC: could not write: No space left on device", "LOG: aborting"],
            "No space left",
            "free some disk space",
        ),
        (
            ["java.io.IOException: No space left on device", "ERROR Shutdown broker"],
            "No space left",
            "free some disk space",
        ),
        (["INFO fine", "ERROR something odd", "INFO bye"], "ERROR something odd", "read the log named here"),
        (
            ["LOG: could not bind: Address already in use"],
            "Address already in use",
            "stop the other program on its port",
        ),
        (["one", "last words", ""], "last words", "read the log named here"),
        ([], "", "read the log named here"),
    ],
)
def test_the_cause_of_a_failure_is_found_in_the_log(log: list[str], cause: str, remedy: str) -> None:
    line, advice = find_cause(log)
    assert cause in line
    assert advice.startswith(remedy)
