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
    async def eval(self, *_: Any) -> list[Any]:
        return [b"era"]


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
    answers, parts = TillAnswers(), SimpleNamespace(reads=database, cache=Shelf())
    database.away = True
    await answers.committed(sales("a-1"), parts)  # type: ignore[arg-type]  # all of the parts that is used here
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
    answers, parts = TillAnswers(), SimpleNamespace(reads=database, cache=Shelf())
    database.away = True
    await answers.committed(sales(*(f"a-{number}" for number in range(95))), parts)  # type: ignore[arg-type]
    database.away, asked = False, database.asked
    await caught_up(answers)
    assert database.asked - asked == 10
