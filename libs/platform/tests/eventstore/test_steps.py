"""The steps that bring a database up to date, before any database is there."""

from till_platform.eventstore.schema import steps

RELEASED = {
    "first": "f87cf4c02b776f956e3ccdf0b4923d1037078ba7a8731d8e061521119dedcf8e",
    "effects_done": "8397846c5be7d90460ffa2c1b4192d8868cdeec0d1643ffea32629ad9482bf48",
    "webhooks": "159fc0999ff8d0317fa030e408720456ced29a72fc463a54a6dc122347adc765",
    "letters_of_a_wiped_topic": "3170a316057dba037f1a36f9970232c86f061338e3223ceb5c13a527f481cb76",
}


def test_steps_are_counted_from_one_without_a_gap():
    assert [step.number for step in steps()] == list(range(1, len(steps()) + 1))


def test_a_step_that_was_released_is_as_it_was():
    assert {step.name: step.hash for step in steps()} == RELEASED
