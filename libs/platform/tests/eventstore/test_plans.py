"""A log that fills from nothing, faster than PostgreSQL gathers statistics of it: nobody reads all of it to find one row."""

import asyncio

import pytest

from till_platform.context import answering
from till_platform.eventstore import commit_lanes
from till_platform.testing.running import eventually

from .things import Parcel

pytestmark = pytest.mark.integration
COMMANDS = 1_200
READ_WHOLE = "SELECT coalesce(sum(seq_tup_read), 0)::int FROM pg_stat_user_tables WHERE relname IN ('log', 'answer')"
WRITTEN = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'answer'"


class Reply:
    """The answer to one command."""

    fingerprint = b"f"

    def __init__(self, number):
        self.key = f"ann:{number}"

    def render(self, _):
        return 201, b"{}"


async def rows_read_for_nothing(log, database):
    numbers = iter(range(COMMANDS))

    async def caller():
        for number in numbers:
            with answering(Reply(number)):
                parcel = await log.find(Parcel, f"p-{number}")
                parcel.pay(1)
                await log.save(parcel)

    await asyncio.gather(*(caller() for _ in range(16)))
    eventually(lambda: database.execute(WRITTEN).fetchone() == (COMMANDS,))
    return database.execute(READ_WHOLE).fetchone()[0]


async def test_what_is_looked_up_while_a_log_fills_is_looked_up_by_index(log, database):
    assert await rows_read_for_nothing(log, database) < 5 * COMMANDS


async def test_control_a_plan_made_for_an_empty_log_reads_all_of_it_each_time(log, database):
    log._committer._lanes._free[:] = [
        commit_lanes.InLoop(lane._connect, first="SELECT 1") for lane in log._committer._lanes._free
    ]
    assert await rows_read_for_nothing(log, database) > 50 * COMMANDS
