"""A history says of every command what a till may believe: done, refused, or nobody knows."""

import json

from faultlab.lab.history import FAIL, OK, UNKNOWN, Command, History, read


def told(tmp_path, *steps):
    """The command that is read back after these steps were noted."""
    command = Command("k1", "receipt", {"R1": 100}, "trace")
    with History(tmp_path / "history.jsonl") as history:
        for step in steps:
            step(history, command)
    with (tmp_path / "history.jsonl").open() as lines:
        return read(lines)["k1"]


def asks(history, command):
    history.invoked(command)


def ends(outcome, body=b""):
    return lambda history, command: history.ended(command, outcome, 201, body)


def test_what_was_answered_is_done_once(tmp_path):
    command = told(tmp_path, asks, ends(OK, b"receipt"))
    assert (command.least, command.most) == (1, 1)


def test_what_was_refused_at_once_is_not_done(tmp_path):
    command = told(tmp_path, asks, ends(FAIL))
    assert (command.least, command.most) == (0, 0)


def test_what_was_refused_after_an_attempt_without_answer_may_be_done_once(tmp_path):
    command = told(tmp_path, asks, asks, ends(FAIL))
    assert (command.least, command.most) == (0, 1)


def test_what_nobody_answered_may_be_done_once(tmp_path):
    command = told(tmp_path, asks, asks, ends(UNKNOWN))
    assert (command.least, command.most) == (0, 1)


def test_a_history_that_ends_while_a_command_is_under_way_knows_nothing_of_it(tmp_path):
    command = told(tmp_path, asks)
    assert (command.least, command.most) == (0, 1)


def test_every_line_is_there_before_the_next_step(tmp_path):
    with History(tmp_path / "history.jsonl") as history:
        history.invoked(Command("k1", "receipt", {"R1": 100}))
        (line,) = (tmp_path / "history.jsonl").read_text().splitlines()
        assert (json.loads(line)["key"], json.loads(line)["what"]) == ("k1", "invoked")


def test_two_answers_under_one_key_are_told_apart(tmp_path):
    once = told(tmp_path, asks, ends(OK, b"one"), lambda history, command: history.repeated(command, b"one"))
    assert len(once.answers) == 1
    (tmp_path / "history.jsonl").unlink()
    twice = told(tmp_path, asks, ends(OK, b"one"), lambda history, command: history.repeated(command, b"two"))
    assert len(twice.answers) == 2


def test_a_list_of_receipts_counts_one_command_each(tmp_path):
    with History(tmp_path / "history.jsonl") as history:
        many = Command("k1", "receipt", {"R1": 1, "R2": 2, "R3": 3})
        history.invoked(many)
        history.ended(many, OK, 200)
        assert history.acknowledged == 3
