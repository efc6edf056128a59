"""What Valkey may do to us: forget everything, go away, freeze. Tills go on asking, and in the end are told what PostgreSQL knows."""

import itertools
import json
import threading
from collections import Counter

import pytest
from redis import Redis

from till_platform.testing.running import eventually

from .conftest import receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CUSTOMERS = [f"shopper-{number}" for number in range(20)]


@pytest.fixture(scope="module")
def till(loyalty):
    with loyalty.client("cashier", stores=["S1"]) as client:
        yield client


@pytest.fixture(scope="module")
def valkey(own_stack):
    with Redis.from_url(own_stack.redis) as client:
        yield client


@pytest.fixture(scope="module")
def cards(order, loyalty):
    """Everybody bought once, and so everybody has a card."""
    record(order, [receipt(customer) for customer in CUSTOMERS])
    issued = "SELECT card_number FROM accounts.cards ORDER BY card_number"
    eventually(lambda: len(loyalty.rows(issued)) == len(CUSTOMERS))
    return [number for (number,) in loyalty.rows(issued)]


class Running:
    """Something done again and again in a thread, until the block ends. What goes wrong in it is raised there."""

    def __init__(self, step) -> None:
        self.done = 0
        self._step = step
        self._over = threading.Event()
        self._problem = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._step()
                self.done += 1
        except Exception as error:  # noqa: BLE001 - raised again by whoever started it
            self._problem = error

    def goes_on(self, times: int) -> None:
        """Wait until it was done so many times more."""
        wanted = self.done + times
        eventually(lambda: self._problem or self.done >= wanted)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()
        if self._problem:
            raise self._problem


def known(loyalty) -> dict[str, tuple[int, int]]:
    """What PostgreSQL knows of each card: the events of its account, and its points."""
    query = (
        "SELECT card_number, sequence, (SELECT coalesce(sum(remaining), 0)::int FROM lots.lots WHERE account_id = cards.account_id)"
        " FROM accounts.cards AS cards JOIN accounts.accounts USING (account_id)"
    )
    return {number: (sequence, points) for number, sequence, points in loyalty.rows(query)}


def told(till, cards) -> dict[str, tuple[int, int]]:
    """What tills are told of each card."""
    answers = {card: till.get(f"/v1/cards/{card}").json() for card in cards}
    return {card: (answer["version"], answer["balance"] + answer["pending"]) for card, answer in answers.items()}


def credited(loyalty) -> int:
    """Receipts that earned points. How many points depends on the level that customers have reached meanwhile."""
    return loyalty.rows("SELECT count(*) FROM lots.lots")[0][0]


def told_after_a_lie(till, valkey, card, balance):
    """Put a lie in the place of the answer that is kept, and return what tills are told; nothing while none is kept.

    A cache that was away is asked again by the API after a second only, whatever the worker has put there meanwhile.
    """
    till.get(f"/v1/cards/{card}")
    for key in valkey.keys(f"*:loyalty:card:{card}"):
        sequence, valid_until, body = (valkey.get(key) or b"0 0 ").split(b" ", 2)
        if body:
            lie = json.dumps({**json.loads(body), "balance": balance}).encode()
            valkey.set(key, b" ".join((sequence, valid_until, lie)))
            return till.get(f"/v1/cards/{card}").json()["balance"]
    return None


def test_tills_are_answered_while_receipts_come_in_and_the_cache_is_emptied_and_killed(
    own_stack, order, loyalty, till, valkey, cards
):
    before, statuses, chosen = credited(loyalty), Counter(), itertools.cycle(cards)

    def trade() -> None:
        assert {answer["status"] for answer in record(order, [receipt(who) for who in CUSTOMERS])} == {"recorded"}

    def ask() -> None:
        statuses[till.get(f"/v1/cards/{next(chosen)}").status_code] += 1

    with Running(ask) as asking, Running(trade) as trading:
        for _ in range(10):
            asking.goes_on(30)
            trading.goes_on(1)
            valkey.flushall()
        for _ in range(3):
            own_stack.valkey_part.kill()
            asking.goes_on(30)
            trading.goes_on(2)
            own_stack.valkey_part.start()
            asking.goes_on(30)
            valkey.flushall()
    assert set(statuses) == {200}, statuses
    eventually(lambda: credited(loyalty) == before + trading.done * len(CUSTOMERS), within=90)
    eventually(lambda: told(till, cards) == known(loyalty), within=10)


def test_what_a_frozen_cache_missed_is_made_up_for_without_another_sale(own_stack, order, loyalty, till, valkey, cards):
    """It comes back with what it knew before, which is wrong by now, and nothing happens any more that would refresh it."""
    before = told(till, cards)
    eventually(lambda: len(valkey.keys("*:loyalty:card:*")) == len(cards))
    own_stack.valkey_part.freeze()
    record(order, [receipt(who) for who in CUSTOMERS])
    eventually(lambda: all(known(loyalty)[card][0] > before[card][0] for card in cards))
    own_stack.valkey_part.thaw()
    eventually(lambda: told(till, cards) == known(loyalty), within=15)


def test_control_a_lie_in_the_cache_is_told_to_tills(till, loyalty, valkey, cards):
    """So it is the cache that answered above, and what was compared is what it had been given."""
    card = cards[0]
    eventually(lambda: told_after_a_lie(till, valkey, card, -777) == -777)
    valkey.flushall()
    assert told(till, [card])[card] == known(loyalty)[card]
