import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from tillstream.exits import Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.outbox import Outbox
from tillstream.local.state import StackState
from tillstream.main import app

till = CliRunner()


def test_the_version_is_told_to_people_and_to_programs() -> None:
    assert till.invoke(app, ["--version"]).stdout.startswith("till 0.")
    assert json.loads(till.invoke(app, ["--version", "--json"]).stdout)["kafka"] == "4.3.0"


def test_the_status_of_what_never_ran_is_stopped_and_the_exit_code_says_so(tmp_path: Path) -> None:
    result = till.invoke(app, ["status", "--json", "--data-dir", str(tmp_path / "never")])
    assert result.exit_code == Exit.UNAVAILABLE
    assert json.loads(result.stdout)["phase"] == "stopped"
    assert not (tmp_path / "never").exists()


def test_a_data_directory_given_before_the_command_or_in_the_environment_holds_for_the_command(tmp_path: Path) -> None:
    before = till.invoke(app, ["--data-dir", str(tmp_path), "status", "--json"])
    environment = till.invoke(app, ["status", "--json"], env={"TILL_DATA_DIR": str(tmp_path)})
    own = till.invoke(app, ["--data-dir", "/elsewhere", "status", "--json", "--data-dir", str(tmp_path)])
    assert {json.loads(result.stdout)["data_dir"] for result in (before, environment, own)} == {str(tmp_path)}


def test_the_doctor_names_the_command_that_mends_each_problem(tmp_path: Path) -> None:
    result = till.invoke(app, ["doctor", "--json", "--data-dir", str(tmp_path)])
    assert result.exit_code == Exit.FAILURE
    (finding,) = [finding for finding in json.loads(result.stdout)["findings"] if not finding["ok"]]
    assert (finding["name"], finding["remedy"]) == ("stack", "till up -d")


def test_a_token_is_printed_alone_so_that_it_can_be_used_in_a_command(tmp_path: Path) -> None:
    result = till.invoke(app, ["token", "--role", "cashier", "--store", "S1", "--data-dir", str(tmp_path)])
    assert result.stdout.strip().count(".") == 2
    assert "\n" not in result.stdout.strip()


@pytest.mark.parametrize(
    "wrong",
    [
        ["token", "--role", "king"],
        ["token"],
        ["up", "--only", "bakery"],
        ["up", "--port", "kafka=many"],
        ["up", "--port", "kafka=70000"],
        ["up", "--port", "bakery=9092"],
        ["dance"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_refused_with_the_exit_code_for_it(wrong: list[str], tmp_path: Path) -> None:
    assert till.invoke(app, ["--data-dir", str(tmp_path), *wrong]).exit_code == Exit.USAGE


def test_the_outbox_shows_what_was_caught(tmp_path: Path) -> None:
    outbox = Outbox(DataDirectory(tmp_path).outbox)
    outbox.create()
    outbox.keep(channel="sms", sender="T", recipient="+48600000001", subject=None, text="Ready", idempotency_key="k")
    result = till.invoke(app, ["outbox", "--json", "--data-dir", str(tmp_path)])
    assert [message["text"] for message in json.loads(result.stdout)["messages"]] == ["Ready"]
    assert "Ready" in till.invoke(app, ["outbox", "--data-dir", str(tmp_path)]).stdout
    assert json.loads(till.invoke(app, ["outbox", "--json", "--after", "1", "--data-dir", str(tmp_path)]).stdout) == {
        "messages": []
    }
    with sqlite3.connect(DataDirectory(tmp_path).outbox) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (1,)


def run_till(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tillstream.main", *arguments], capture_output=True, text=True, check=False
    )


def test_a_failure_is_one_line_and_a_hint_on_stderr_or_a_problem_document(tmp_path: Path) -> None:
    people = run_till("--data-dir", str(tmp_path), "logs", "order")
    assert people.returncode == Exit.NOT_FOUND
    assert people.stdout == ""
    assert people.stderr.splitlines()[0] == f"till: order has written nothing in {tmp_path}"
    program = json.loads(run_till("--data-dir", str(tmp_path), "logs", "order", "--json").stderr)
    assert program["type"] == "tillstream:cli:not-found"
    assert program["detail"].startswith("order has written nothing")


def test_whoever_has_read_enough_may_close_the_pipe(tmp_path: Path) -> None:
    logs = DataDirectory(tmp_path).logs
    logs.mkdir()
    (logs / "order.log").write_text("a line\n" * 200_000)
    command = [sys.executable, "-m", "tillstream.main", "--data-dir", str(tmp_path), "logs", "order", "-n", "200000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == Exit.PIPE_CLOSED


def test_a_table_that_is_piped_is_not_cut_to_the_width_of_some_terminal(tmp_path: Path) -> None:
    (tmp_path / ("long" * 40)).mkdir()
    told = run_till("--data-dir", str(tmp_path / ("long" * 40)), "doctor").stdout
    assert "long" * 40 in told
    assert "…" not in told


def test_a_database_that_does_not_answer_is_one_line_and_the_exit_code_for_it(tmp_path: Path) -> None:
    directory, me = DataDirectory(tmp_path), psutil.Process()
    StackState(
        data_dir=tmp_path,
        phase="ready",
        supervisor_pid=me.pid,
        supervisor_created=me.create_time(),
        databases={"order": "postgresql://till_order:secret@127.0.0.1:1/till_order"},
        apis={"order": "http://127.0.0.1:1"},
    ).write(directory)
    done = run_till("--data-dir", str(tmp_path), "events", "count", "order")
    assert done.returncode == Exit.UNAVAILABLE
    assert done.stderr.startswith("till: PostgreSQL: connection failed")
    assert len(done.stderr.splitlines()) == 2
    assert "secret" not in done.stderr
