import asyncio
import random
import threading
import time

import psycopg
import pytest
from psycopg.errors import IdleInTransactionSessionTimeout

from till_events.codec import encode
from till_platform.context import Context, answering, within
from till_platform.domain import NotFound
from till_platform.eventstore import commit_thread
from till_platform.eventstore.append import append
from till_platform.eventstore.at_once import FEW
from till_platform.eventstore.errors import DATABASE_AWAY, RepeatedCommand, VersionConflict

from .things import Parcel, paid_parcel

pytestmark = pytest.mark.integration


async def test_what_was_saved_is_loaded_as_it_was(log):
    parcel = paid_parcel(250)
    await log.save(parcel)
    found = await log.load(Parcel, parcel.identity)
    assert (found.paid, found.version, found.key) == (250, 1, "ann")


async def test_the_bytes_in_the_log_are_the_event(log, database):
    parcel = paid_parcel()
    (event,) = parcel.pending
    await log.save(parcel)
    assert database.execute("SELECT data FROM log").fetchone() == (encode(event),)


async def test_nothing_is_found_where_nothing_was_recorded(log):
    assert not (await log.find(Parcel, "nowhere")).exists
    with pytest.raises(NotFound):
        await log.load(Parcel, "nowhere")


async def test_a_past_state_can_be_loaded(log):
    parcel = paid_parcel(100)
    parcel.pay(50)
    await log.save(parcel)
    assert (await log.load_at(Parcel, parcel.identity, version=1)).paid == 100


async def test_of_two_who_change_the_same_thing_one_is_refused_alone(log):
    parcel = paid_parcel()
    await log.save(parcel)
    first, second = await log.load(Parcel, parcel.identity), await log.load(Parcel, parcel.identity)
    first.pay(1)
    second.pay(2)
    other = paid_parcel()
    outcomes = await asyncio.gather(log.save(first), log.save(second), log.save(other), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, VersionConflict, int]
    assert (await log.load(Parcel, parcel.identity)).paid == 101


async def test_retrying_reads_again_and_decides_again(log):
    parcel = paid_parcel(0)
    await log.save(parcel)

    async def pay_one():
        found = await log.load(Parcel, parcel.identity)
        found.pay(1)
        await log.save(found)

    await asyncio.gather(*(log.retrying(pay_one) for _ in range(4)))
    assert (await log.load(Parcel, parcel.identity)).paid == 4


async def test_events_of_one_command_are_saved_together_or_not_at_all(log):
    settled, contested = paid_parcel(), paid_parcel()
    await log.save(contested)
    stale = Parcel(contested.id)
    stale.pay(5)
    with pytest.raises(VersionConflict):
        await log.save(settled, stale)
    assert not (await log.find(Parcel, settled.identity)).exists


async def test_positions_are_gapless_and_in_commit_order_whoever_appends(log, committer, dsn):
    """64 callers and a second appender with slow transactions, a reader tailing the log all the while."""
    from till_platform.context import current
    from till_platform.eventstore.append import Commit
    from till_platform.eventstore.stored import LoggedEvent

    seen: list[int] = []
    done = threading.Event()

    def tail():
        with psycopg.connect(dsn, autocommit=True) as connection:
            while True:
                finished = done.is_set()
                last = seen[-1] if seen else 0
                rows = connection.execute("SELECT position FROM log WHERE position > %s ORDER BY 1", [last]).fetchall()
                seen.extend(position for (position,) in rows)
                if finished and not rows:
                    return

    def slow_appender():
        chance = random.Random(7)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for _ in range(50):
                events = [LoggedEvent.of(recorded) for recorded in paid_parcel().collect_events()]
                with connection.transaction():
                    append(connection, [Commit(events, current())])
                    connection.execute("SELECT pg_sleep(%s)", [chance.random() / 200])

    async def caller():
        for _ in range(20):
            await log.save(paid_parcel())

    threads = [threading.Thread(target=work) for work in (tail, slow_appender)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(caller() for _ in range(64)))
    await asyncio.to_thread(threads[1].join)
    done.set()
    await asyncio.to_thread(threads[0].join)
    assert seen == list(range(1, 64 * 20 + 50 + 1))


def test_control_a_serial_number_in_place_of_the_lock_loses_events_to_a_tailing_reader(dsn):
    """Why positions are given out under the lock: a number taken before commit is passed over by whoever reads meanwhile."""
    with psycopg.connect(dsn, autocommit=True) as reader, psycopg.connect(dsn) as slow, psycopg.connect(dsn) as fast:
        reader.execute("CREATE TABLE serial_log (position bigserial PRIMARY KEY)")
        slow.execute("INSERT INTO serial_log DEFAULT VALUES")
        fast.execute("INSERT INTO serial_log DEFAULT VALUES")
        fast.commit()
        (last,) = reader.execute("SELECT max(position) FROM serial_log").fetchone()
        slow.commit()
        assert reader.execute("SELECT count(*) FROM serial_log WHERE position > %s", [last]).fetchone() == (0,)
        assert reader.execute("SELECT count(*) FROM serial_log").fetchone() == (2,)


async def test_a_command_that_cannot_be_stored_fails_alone(log):
    async def save_from_nowhere():
        with within(Context(correlation_id="nul\x00")):
            await log.save(paid_parcel())

    saves = [log.save(paid_parcel()) for _ in range(10)]
    outcomes = await asyncio.gather(save_from_nowhere(), *saves, return_exceptions=True)
    assert isinstance(outcomes[0], psycopg.DataError)
    assert all(isinstance(outcome, int) for outcome in outcomes[1:])


async def test_the_committer_survives_the_loss_of_its_connection(log, database):
    await log.save(paid_parcel())
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    with pytest.raises(psycopg.OperationalError):
        await log.save(paid_parcel())
    assert await log.save(paid_parcel()) == 2


@pytest.fixture
def sits_idle(monkeypatch, database):
    """Return a way to let the committer sit in its next transaction of several statements until the server has ended the session."""

    def idle(connection, commits):
        pid = connection.execute("SET LOCAL idle_in_transaction_session_timeout = 20").connection.info.backend_pid
        until = time.monotonic() + 20
        while database.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            assert time.monotonic() < until, "the server has not ended the session"
            time.sleep(0.01)
        return append(connection, commits)

    def once():
        monkeypatch.setattr(
            commit_thread, "append", lambda *call: monkeypatch.setattr(commit_thread, "append", append) or idle(*call)
        )

    return once


async def test_a_session_ended_for_sitting_idle_is_the_database_being_away_and_the_committer_goes_on(log, sits_idle):
    await log.save(paid_parcel())
    sits_idle()
    with pytest.raises(DATABASE_AWAY) as ended:
        await log.save(*(paid_parcel() for _ in range(FEW + 1)))
    assert isinstance(ended.value, IdleInTransactionSessionTimeout)
    assert await log.save(paid_parcel()) == 2


async def test_the_log_cannot_be_changed(log, database):
    await log.save(paid_parcel())
    for statement in ("UPDATE log SET type = ''", "DELETE FROM log", "TRUNCATE log"):
        with pytest.raises(psycopg.errors.RaiseException):
            database.execute(statement)


async def test_each_event_says_who_did_it_and_in_whose_consequence(log, database):
    with within(Context(correlation_id="c-1", causation_id="e-1", actor="cashier:17", traceparent="00-aa-bb-01")):
        await log.save(paid_parcel())
    query = "SELECT correlation_id, causation_id, actor, store_id, traceparent, key FROM log"
    assert database.execute(query).fetchone() == ("c-1", "e-1", "cashier:17", "S1", "00-aa-bb-01", "ann")


class Reply:
    key = "ann:k-1"
    fingerprint = b"same"

    def render(self, aggregate):
        return 201, aggregate.identity.encode()


async def test_one_idempotency_key_twenty_times_at_once_records_one_command(log, database):
    async def place():
        with answering(Reply()):
            return await log.save(paid_parcel())

    outcomes = await asyncio.gather(*(place() for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    repeats = [outcome for outcome in outcomes if isinstance(outcome, RepeatedCommand)]
    assert len(repeats) == 19
    assert len({repeat.body for repeat in repeats}) == 1
    assert database.execute("SELECT count(*) FROM log").fetchone() == (1,)
    assert (await log.answer_to("ann:k-1")).body == repeats[0].body


async def test_many_are_loaded_in_one_go_absent_ones_empty(log):
    parcels = [paid_parcel(n) for n in range(5)]
    assert await log.save_each(parcels) == [1, 2, 3, 4, 5]
    found = await log.load_many(Parcel, [parcel.identity for parcel in parcels] + ["nowhere"])
    assert [found[parcel.identity].paid for parcel in parcels] == [0, 1, 2, 3, 4]
    assert not found["nowhere"].exists


async def test_the_librarys_own_application_works_on_the_log(log):
    parcel = paid_parcel(70)
    (recording,) = await asyncio.to_thread(log.application.save, parcel)
    assert recording.notification.id == 1
    section = await asyncio.to_thread(log.application.notification_log.select, 1, 10)
    assert [notification.topic for notification in section] == ["tillstream.order.OrderPaymentRecorded.v1"]
    found = await asyncio.to_thread(log.application.repository.get, parcel.id, projector_func=Parcel.project)
    assert found.paid == 70
