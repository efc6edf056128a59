import pytest
from contest import Claim, Contender, Contest, Sample, Wrong, interval, number_of, run
from run import report_of


def doing(name, *rates):
    """Somebody who does one thing a round at these rates; the first round does not count."""
    left = iter(rates)
    return Contender(name, "", lambda: Sample(1, 1 / next(left)))


def report(contenders, at_least, rounds):
    contest = Contest("a job", "things/s", contenders, [Claim(contenders[1].name, at_least)])
    return report_of("B0", run(contest, rounds, lambda _: None), {})


def test_the_interval_of_equal_ratios_is_a_point():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_a_goal_is_judged_by_the_lower_end_of_the_interval_and_not_by_the_median():
    rates = [1, 10, 10, 1, 10, 10, 1, 10]
    found = report([doing("ours", *rates), doing("theirs", *[1] * 8)], at_least=5, rounds=7)
    (claim,) = found["claims"]
    median, low, _ = claim["interval"]
    assert median == 10
    assert low < 5
    assert not claim["met"]


def test_ratios_are_taken_within_a_round_so_that_a_slow_machine_slows_both():
    found = report([doing("ours", 9, 20, 2, 200), doing("theirs", 9, 10, 1, 100)], at_least=2, rounds=3)
    (claim,) = found["claims"]
    assert claim["interval"] == (2.0, 2.0, 2.0)
    assert claim["met"]


def test_whose_result_is_wrong_is_reported_and_no_claim_against_them_is_met():
    def wrong():
        raise Wrong("a row too many")

    found = report([doing("ours", 1, 1), Contender("theirs", "", wrong)], at_least=1, rounds=1)
    assert found["contenders"][1]["failure"] == "Wrong: a row too many"
    assert not found["claims"][0]["met"]


@pytest.mark.parametrize(
    ("value", "shown"), [(60_000.4, "60,000"), (123.4, "123"), (17.89, "17.9"), (0.0312, "0.0312")]
)
def test_a_small_figure_is_shown_with_the_places_that_mean_something(value, shown):
    assert number_of(value) == shown
