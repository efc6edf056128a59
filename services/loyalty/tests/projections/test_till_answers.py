import asyncio
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from till_loyalty.projections import till_answers
from till_loyalty.projections.till_answers import TillAnswers


class Database:
    """Read models that know no cards, and that are away when they are told to be; `asked` counts how often they were asked."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    async def run(self, _: Any) -> list[Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise psycopg.OperationalError
        return []


class Shelf:
    def __init__(self) -> None:
        self.keys: set[str] = set()

    async def eval(self, _: str, number: int, *arguments: Any) -> list[Any]:
        self.keys.update(arguments[:number])
        return [b"era"]


def parts_of(database: Database, namespace: str = "till") -> Any:
    """All of a service's parts that is used here."""
    return SimpleNamespace(reads=database, cache=Shelf(), settings=SimpleNamespace(namespace=namespace))


def sales(*account_ids: str) -> Any:
    facts = [SimpleNamespace(event=SimpleNamespace(account_id=account_id)) for account_id in account_ids]
    return SimpleNamespace(only=lambda _: facts)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(till_answers, "TRIED_AGAIN_SECONDS", 0.001)
    return Database()


async def caught_up(answers: TillAnswers) -> None:
    assert answers._catching_up is not None
    await asyncio.wait_for(answers._catching_up, 5)
    assert not answers._missed


async def test_what_could_not_be_refreshed_since_the_database_was_away_is_made_up_for(database: Database) -> None:
    answers, parts = TillAnswers(), parts_of(database)
    database.away = True
    await answers.committed(sales("a-1"), parts)
    while database.asked < 3:  # noqa: ASYNC110 - a database that is away tells nobody
        await asyncio.sleep(0)
    assert answers._catching_up is not None
    assert not answers._catching_up.done()
    database.away = False
    await caught_up(answers)


async def test_much_that_was_missed_is_made_up_for_in_portions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till_answers, "AT_ONCE", 10)
    answers, parts = TillAnswers(), parts_of(database)
    database.away = True
    await answers.committed(sales(*(f"a-{number}" for number in range(95))), parts)
    database.away, asked = False, database.asked
    await caught_up(answers)
    assert database.asked - asked == 10


async def test_all_that_an_installation_keeps_begins_with_its_name(database: Database) -> None:
    parts = parts_of(database, "shop-2")
    await TillAnswers().committed(sales("a-1"), parts)
    assert parts.cache.keys == {"shop-2:loyalty:era"}
