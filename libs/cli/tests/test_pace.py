"""An import goes as fast as it is taken, or at a rate."""

import pytest

from tillstream.importing.pace import Pace


class Watch:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_rows_go_at_the_rate_asked_for(watch: Watch) -> None:
    pace = Pace(500, now=watch.now, sleep=watch.sleep)
    for _ in range(21):
        pace.wait(pace.at_once(4_000))
    assert watch.time == pytest.approx(102.0)


def test_time_that_was_lost_is_not_made_up_for_in_a_burst(watch: Watch) -> None:
    pace = Pace(10, now=watch.now, sleep=watch.sleep)
    pace.wait(10)
    watch.time += 60
    pace.wait(10)
    before = watch.time
    pace.wait(10)
    assert watch.time == pytest.approx(before + 1)


def test_without_a_rate_nobody_waits(watch: Watch) -> None:
    pace = Pace(now=watch.now, sleep=watch.sleep)
    pace.wait(1_000_000)
    pace.wait(1)
    assert watch.time == 100.0
    assert pace.at_once(4_000) == 4_000


def test_a_slow_rate_still_sends_a_row_at_a_time() -> None:
    assert Pace(3).at_once(4_000) == 1
