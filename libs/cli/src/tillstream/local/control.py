import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from till_platform.local import LocalProblem
from till_platform.local.jars import OnProgress, ensure, kafka_jars
from till_platform.local.settings import LocalSettings
from tillstream.console import HINT, PROBLEM
from tillstream.local.directory import DataDirectory
from tillstream.local.logs import LogFollower
from tillstream.local.run import owned, stop_leftovers
from tillstream.local.state import StackState
from tillstream.local.supervisor import Say

STOP_PATIENCE_SECONDS = 120


def start_detached(
    data_dir: DataDirectory,
    *,
    only: Sequence[str] = (),
    ports: Mapping[str, int] | None = None,
    secure: bool = False,
    say: Say,
    on_download: OnProgress | None = None,
) -> StackState:
    """A whole Tillstream that outlives this terminal, ready to use; the running one if there is one.

    Raises LocalProblem when something does not come up; nothing is left running then.
    """
    running = StackState.read(data_dir)
    if running.running:
        return running
    ensure(kafka_jars(), LocalSettings().jar_cache, on_download)
    data_dir.logs.mkdir(parents=True, exist_ok=True)
    log = LogFollower(data_dir.logs, ["supervisor"], last_lines=0)
    command = [
        sys.executable,
        "-m",
        "tillstream.main",
        "--data-dir",
        str(data_dir.path.absolute()),
        "up",
        "--no-follow",
    ]
    command += ["--secure"] if secure else []
    command += [f"--only={','.join(only)}"] if only else []
    command += [f"--port={name}={port}" for name, port in (ports or {}).items()]
    # Its stdout is the table of addresses, which whoever waits here prints.
    with (data_dir.logs / "supervisor.log").open("ab") as output:
        supervisor = subprocess.Popen(  # noqa: S603 -- this very program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
        )
    try:
        return _await_ready(supervisor, data_dir, log, say)
    except BaseException:
        supervisor.terminate()
        supervisor.wait(STOP_PATIENCE_SECONDS)
        raise


def _await_ready(
    supervisor: subprocess.Popen[bytes], data_dir: DataDirectory, log: LogFollower, say: Say
) -> StackState:
    last, problem, remedy = "", "", f"read {data_dir.logs / 'supervisor.log'}"
    while True:
        ended = supervisor.poll() is not None
        for _, last in log.new_lines():
            if last.startswith(PROBLEM):
                problem = last.removeprefix(PROBLEM)
            elif problem and last.startswith(HINT):
                remedy = last.removeprefix(HINT)
            elif not ended:
                say(last)
        state = StackState.read(data_dir)
        if state.supervisor_pid == supervisor.pid and state.running:
            return state
        if ended:
            raise LocalProblem(problem or last or "the supervisor ended at once", remedy)
        time.sleep(0.1)


def stop(data_dir: DataDirectory, say: Say) -> bool:
    """Everything that runs from this directory is stopped in order; False when nothing did.

    Raises LocalProblem when the supervisor does not end.
    """
    supervisor = StackState.read(data_dir).supervisor
    if supervisor is None:
        with owned(data_dir):
            return stop_leftovers(data_dir, say) > 0
    log = LogFollower(data_dir.logs, ["supervisor"])
    supervisor.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE_SECONDS
    while StackState.read(data_dir).supervisor is not None:
        for _, line in log.new_lines():
            say(line)
        if time.monotonic() > deadline:
            raise LocalProblem(
                f"the supervisor (pid {supervisor.pid}) does not end", f"kill {supervisor.pid} and repeat this command"
            )
        time.sleep(0.1)
    for _, line in log.new_lines():
        say(line)
    return True


def forget(data_dir: DataDirectory, say: Say) -> None:
    """Everything that runs from this directory is stopped, and the directory is deleted.

    Raises LocalProblem, and then has changed nothing, for a directory from which Tillstream never ran: somebody's own files may be in it.
    """
    path = data_dir.path
    if not path.exists():
        return
    if not data_dir.owner_lock.exists():
        raise LocalProblem(f"{path} is not deleted: Tillstream never ran from it", "name another with --data-dir")
    stop(data_dir, say)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise LocalProblem(f"{path} cannot be deleted: {error.strerror}", "delete it yourself") from error
