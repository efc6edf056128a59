import random
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest

from till_platform.context import Context
from till_platform.eventstore import append as one_by_one
from till_platform.eventstore import at_once, commit_lanes
from till_platform.eventstore.append import Commit, StoredAnswer, append
from till_platform.eventstore.at_once import FEW
from till_platform.eventstore.schema import migrate
from till_platform.eventstore.stored import LoggedEvent
from till_platform.testing.logs import append_at_once

from .things import NOON, Parcel, paid_parcel

pytestmark = pytest.mark.integration
WRITTEN = (
    "SELECT position, stream, sequence, type, key, data, public, occurred_at, correlation_id, actor, store_id FROM log ORDER BY 1",
    "SELECT key, fingerprint, status, body, position FROM answer ORDER BY 1",
    "SELECT id, done_at IS NULL FROM effect ORDER BY 1",
    "SELECT position FROM log_head",
)
ASK = """
INSERT INTO effect (kind, key, payload, not_before, correlation_id)
SELECT 'message', number::text, '{}', now(), 'c' FROM generate_series(1, 40) AS effects (number)
"""


@pytest.fixture
def other(infra):
    with psycopg.connect(infra.database("other"), autocommit=True) as connection:
        migrate(connection)
        yield connection


def handed_in(chance, versions):
    """Some commands as they may arrive together: most of them fit, some come too late, some come again."""
    commits = []
    for _ in range(chance.randrange(1, 6)):
        events = []
        for stream in chance.sample(sorted(versions), chance.randrange(3)):
            parcel = Parcel(stream)
            parcel.version, parcel.key = max(0, versions[stream] - (chance.random() < 0.1)), "ann"
            for _ in range(chance.randrange(1, 4)):
                parcel.pay(chance.randrange(1_000))
            events += [LoggedEvent.of(recorded) for recorded in parcel.collect_events()]
        answer = StoredAnswer(f"k{chance.randrange(60)}", b"f", 201, b"{}") if chance.random() < 0.3 else None
        effect = chance.randrange(1, 41) if chance.random() < 0.2 else None
        commits.append(
            Commit(events, Context(correlation_id="c", actor=chance.choice([None, "cashier:1"])), answer, effect)
        )
    return commits


async def test_what_is_appended_at_once_or_refused_is_what_would_be_one_by_one(committer, database, other):
    chance, taken_whole = random.Random(5), 0
    for connection in (database, other):
        connection.execute(ASK)
    streams = [f"parcel-{number}" for number in range(12)]
    for _ in range(150):
        found = dict(other.execute("SELECT stream, max(sequence) FROM log GROUP BY 1").fetchall())
        commits = handed_in(chance, {stream: found.get(stream, 0) for stream in streams})
        with other.transaction():
            wanted = append(other, commits)
        outcomes = await committer.append(commits)
        assert [told(one) for one in outcomes] == [told(one) for one in wanted]
        taken_whole += all(isinstance(one, int) for one in wanted)
    for query in WRITTEN:
        assert database.execute(query).fetchall() == other.execute(query).fetchall()
    assert 30 < taken_whole < 120, "both ways are taken"


def told(outcome):
    return outcome if isinstance(outcome, int) else (type(outcome), str(outcome))


def one_event():
    events = [LoggedEvent.of(recorded) for recorded in paid_parcel().collect_events()]
    return Commit(events, Context(correlation_id="c"))


def test_times_follow_positions_whoever_waited_for_whom(database, monkeypatch):
    """The second command looked at its clock a minute before the first one was let in."""
    clock = SimpleNamespace(now=lambda _: NOON)
    for module in (at_once, one_by_one):
        monkeypatch.setattr(module, "datetime", clock)
    assert append_at_once(database, [one_event()]) == [1]
    clock.now = lambda _: NOON - timedelta(minutes=1)
    assert append_at_once(database, [one_event()]) == [2]
    clock.now = lambda _: NOON + timedelta(minutes=1)
    assert append_at_once(database, [one_event()]) == [3]
    clock.now = lambda _: NOON
    with database.transaction():
        assert append(database, [one_event()]) == [4]
    times = database.execute("SELECT recorded_at FROM log ORDER BY position").fetchall()
    assert times == [(NOON,), (NOON,), (NOON + timedelta(minutes=1),), (NOON + timedelta(minutes=1),)]


def test_where_one_does_not_fit_nothing_is_written(database):
    first = paid_parcel()
    (event,) = [LoggedEvent.of(recorded) for recorded in first.collect_events()]
    late = [Commit([event], Context(correlation_id="c"))]
    assert append_at_once(database, late) == [1]
    other = [LoggedEvent.of(recorded) for recorded in paid_parcel().collect_events()]
    assert append_at_once(database, [Commit(other, Context(correlation_id="c")), *late]) is None
    assert database.execute("SELECT count(*), max(position) FROM log").fetchone() == (1, 1)
    assert database.execute("SELECT position FROM log_head").fetchone() == (1,)


@pytest.mark.parametrize(("amount", "together"), [(FEW, True), (FEW + 1, False)])
async def test_few_events_go_at_once_and_more_by_copy(log, database, monkeypatch, amount, together):
    asked = []
    original = commit_lanes._append
    monkeypatch.setattr(commit_lanes, "_append", lambda *given: asked.append(len(given)) or original(*given))
    assert await log.save(*(paid_parcel() for _ in range(amount))) == amount
    assert bool(asked) is together
    assert database.execute("SELECT count(*) FROM log").fetchone() == (amount,)
