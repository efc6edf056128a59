from pathlib import Path

from tillstream.local.logs import LogFollower


def test_only_what_is_new_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "order.log"
    log.write_text("old\n")
    follower = LogFollower(tmp_path, ["order"])
    assert follower.new_lines() == []
    with log.open("a") as file:
        file.write("one\ntwo\n")
    assert follower.new_lines() == [("order", "one"), ("order", "two")]
    assert follower.new_lines() == []


def test_a_line_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "order.log"
    log.write_text("")
    follower = LogFollower(tmp_path, ["order"])
    with log.open("a") as file:
        file.write("ha")
        file.flush()
        assert follower.new_lines() == []
        file.write("lf\n")
    assert follower.new_lines() == [("order", "half")]


def test_the_last_lines_are_shown_first_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "order.log").write_text("".join(f"line {number}\n" for number in range(20_000)))
    assert LogFollower(tmp_path, ["order"], last_lines=2).new_lines() == [
        ("order", "line 19998"),
        ("order", "line 19999"),
    ]
    assert len(LogFollower(tmp_path, ["order"], last_lines=15_000).new_lines()) == 15_000
    assert len(LogFollower(tmp_path, ["order"], last_lines=99_999).new_lines()) == 20_000
    assert LogFollower(tmp_path, ["order"], last_lines=0).new_lines() == []


def test_a_log_that_appears_or_begins_anew_is_read_from_its_start(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path, ["order"])
    assert follower.new_lines() == []
    (tmp_path / "order.log").write_text("a long first line\n")
    assert follower.new_lines() == [("order", "a long first line")]
    (tmp_path / "order.log").write_text("anew\n")
    assert follower.new_lines() == [("order", "anew")]
