"""The steps that bring a database up to date, before any database is there."""

from till_platform.eventstore.schema import steps

RELEASED = {
    "first": "f87cf4c02b776f956e3ccdf0b4923d1037078ba7a8731d8e061521119dedcf8e",
    "effects_done": "8397846c5be7d90460ffa2c1b4192d8868cdeec0d1643ffea32629ad9482bf48",
    "webhooks": "159fc0999ff8d0317fa030e408720456ced29a72fc463a54a6dc122347adc765",
    "letters_of_a_wiped_topic": "3170a316057dba037f1a36f9970232c86f061338e3223ceb5c13a527f481cb76",
    "kept_projections": "31a9150f356ddbe8de82263a7cac8f0a56e8e6c313f2263a4f2140e83da53918",
    "letters_settled_once": "23aee0ab4237f5662ea5781a164511ade656828e49b3764795022869e1ba567d",
    "snapshots": "a9d4a5f78c3c58d0db9067f82a7264f1003f9602facbd13cbd8b626baa623a0b",
    "append_at_once": "c8498912fb6961319c3b6db4a4add30a036305e033dfdd59b8dddbe52542b921",
}


def test_steps_are_counted_from_one_without_a_gap():
    assert [step.number for step in steps()] == list(range(1, len(steps()) + 1))


def test_a_step_that_was_released_is_as_it_was():
    assert {step.name: step.hash for step in steps()} == RELEASED
