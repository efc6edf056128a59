"""The gateway keeps every call, tells repeats by their key, and can take a message without saying so."""

from random import Random

import httpx2
import pytest
from faultlab.lab.provider import Provider

MESSAGE = {"to": "+48", "from": "SHOP", "text": "gone"}


@pytest.fixture
def provider():
    opened = Provider(Random(1))
    yield opened
    opened.close()


@pytest.fixture
def send(provider):
    with httpx2.Client(base_url=f"http://127.0.0.1:{provider.port}") as client:
        yield lambda key: client.post("/messages", json=MESSAGE, headers={"Idempotency-Key": key})


def test_a_message_sent_twice_is_two_calls_and_one_message(provider, send):
    assert [send("m1").status_code, send("m1").status_code] == [202, 202]
    assert [call.key for call in provider.calls] == ["m1", "m1"]
    assert list(provider.taken) == ["m1"]


def test_a_gateway_that_refuses_takes_nothing(provider, send):
    provider.mood = "errors"
    answers = [send(f"m{number}").status_code for number in range(30)]
    assert 0 < answers.count(500) < 30
    assert len(provider.taken) == answers.count(202)


def test_a_gateway_that_hangs_up_has_taken_the_message(provider, send):
    provider.mood = "hangs up"
    heard = 0
    for number in range(30):
        try:
            heard += send(f"m{number}").status_code == 202
        except httpx2.HTTPError:
            continue
    assert 0 < heard < 30
    assert len(provider.taken) == 30
