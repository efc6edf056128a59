from datetime import UTC, datetime

import psycopg
import pytest

from till_events.loyalty import PointsAdjusted
from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate, Conflict
from till_platform.eventstore.schema import migrate
from till_platform.projections import tables
from till_platform.projections.projection import Projection
from till_platform.projections.table import Table
from till_platform.reactions.reaction import Reaction
from till_platform.worker import transaction
from till_platform.worker.cursor import Cursor, Fenced, read_cursors
from till_platform.worker.letters import ForgedLetter, discard, retry
from till_platform.worker.reading import FORGED, Reader
from till_platform.worker.transaction import FEW, BatchTransaction, Superseded

from .records import PLACE, Partition, Record, paid

pytestmark = pytest.mark.integration
CONSUMER = "test.worker"
PAID = Table("paid", {"customer_id": "text", "payments": "bigint", "amount_minor": "bigint"}, ("customer_id",))


class Payments(Projection):
    name = "payments"
    of = (OrderPaymentRecorded,)
    tables = (PAID,)

    def fold(self, batch, db):
        rows = [(fact.event.customer_id, 1, fact.event.amount_minor) for fact in batch.of(OrderPaymentRecorded)]
        db.add(PAID, rows, sums=("payments", "amount_minor"))


class Purse(Aggregate):
    kind = "purse"

    def __init__(self, id):
        super().__init__(id)
        self.points = 0

    def apply(self, event):
        self.points += event.points


class WhenPaid(Reaction):
    name = "when_paid"
    of = (OrderPaymentRecorded,)
    refused = 666

    def wants(self, fact):
        return [(Purse, fact.event.customer_id)]

    def react(self, fact, unit):
        if fact.event.amount_minor == self.refused:
            raise Conflict("this amount is refused")
        purse = unit.get(Purse, fact.event.customer_id)
        purse.record(
            PointsAdjusted(
                occurred_at=fact.event.occurred_at,
                account_id="a",
                customer_id=fact.event.customer_id,
                adjustment_id=fact.id,
                points=fact.event.amount_minor,
                allocations=(),
                reason="test",
            )
        )
        unit.effect("thanks", fact.id, {"customer": fact.event.customer_id})


class Worker:
    def __init__(self, dsn):
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.transaction = BatchTransaction(CONSUMER, (Payments(),), (WhenPaid(),), lambda: datetime.now(UTC))
        self.reader = Reader([OrderPaymentRecorded])
        self.cursors = read_cursors(self.connection, CONSUMER, [PLACE])

    def read(self, records):
        return self.reader.read({PLACE: records}, self.cursors)

    def take(self, records):
        reading = self.read(records)
        taken = self.transaction.take(self.connection, reading)
        self.cursors = reading.after
        return taken


@pytest.fixture(autouse=True, params=[0, FEW], ids=["statement by statement", "in a pipeline"])
def few(request, monkeypatch):
    """Whatever is true of a batch is true of few records and of many."""
    monkeypatch.setattr(transaction, "FEW", request.param)


@pytest.fixture
def dsn(infra):
    address = infra.database("worker")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
        connection.execute("CREATE SCHEMA extensions")
        tables.prepare(connection, [Payments()], CONSUMER)
    return address


@pytest.fixture
def worker(dsn):
    made = Worker(dsn)
    yield made
    made.connection.close()


def rows(worker, query):
    return worker.connection.execute(query).fetchall()


def sums(worker):
    return dict(rows(worker, "SELECT customer_id, amount_minor::int FROM payments.paid"))


def test_read_models_reactions_effects_and_checkpoint_are_one_transaction(worker):
    taken = worker.take(Partition().publish(paid(amount=5)).publish(paid(amount=7)).records)
    assert (taken.events, taken.effects) == (2, 2)
    assert sums(worker) == {"ann": 12}
    assert rows(worker, "SELECT stream, sequence, causation_id IS NOT NULL FROM log ORDER BY position") == [
        ("purse-ann", 1, True),
        ("purse-ann", 2, True),
    ]
    assert rows(worker, "SELECT next_offset, last_position FROM checkpoint") == [(2, 2)]


def test_a_second_consumer_that_took_the_same_records_first_fences_the_first_one(worker, dsn):
    partition = Partition().publish(paid(amount=5))
    late = Worker(dsn)
    reading = late.read(partition.records)
    worker.take(partition.records)
    with pytest.raises(Fenced):
        late.transaction.take(late.connection, reading)
    late.connection.close()
    assert sums(worker) == {"ann": 5}
    assert rows(worker, "SELECT count(*) FROM log") == [(1,)]


def test_nothing_is_written_into_tables_that_another_version_has_rebuilt(worker):
    partition = Partition().publish(paid(amount=5))
    worker.connection.execute("UPDATE projection SET version = 2 WHERE name = 'payments'")
    with pytest.raises(Superseded, match="payments is of version 2"):
        worker.take(partition.records)
    assert sums(worker) == {}
    assert rows(worker, "SELECT count(*) FROM checkpoint WHERE next_offset > 0") == [(0,)]


def test_control_without_a_look_at_the_version_old_code_writes_into_new_tables(worker, monkeypatch):
    worker.connection.execute("UPDATE projection SET version = 2 WHERE name = 'payments'")
    monkeypatch.setattr("till_platform.projections.tables.of_other_versions", lambda *_, **__: {})
    worker.take(Partition().publish(paid(amount=5)).records)
    assert sums(worker) == {"ann": 5}


def test_control_without_the_compare_and_set_the_same_records_count_twice(worker, dsn, monkeypatch):
    partition = Partition().publish(paid(amount=5))
    late = Worker(dsn)
    reading = late.read(partition.records)
    worker.take(partition.records)
    monkeypatch.setattr("till_platform.worker.transaction.advance", lambda *_: lambda: None)
    late.transaction.take(late.connection, reading)
    late.connection.close()
    assert sums(worker) == {"ann": 10}


def test_a_refused_event_is_found_among_many_and_its_key_waits_while_others_flow(worker):
    partition = Partition()
    for number in range(20):
        partition.publish(paid(customer=f"c{number % 4}", amount=666 if number == 9 else 1))
    worker.take(partition.records)
    assert sums(worker) == {"c0": 5, "c1": 2, "c2": 5, "c3": 5}
    buried = rows(worker, 'SELECT "offset"::int, reason FROM dead_letter ORDER BY "offset"')
    assert buried == [(9, "refused:conflict"), (13, "waiting"), (17, "waiting")]
    assert rows(worker, "SELECT next_offset::int, last_position::int FROM checkpoint") == [(20, 20)]


def test_control_without_parking_later_events_of_the_key_overtake_the_bad_one(worker, monkeypatch):
    monkeypatch.setattr(
        "till_platform.worker.transaction.sort_out",
        lambda entries, _: ([e for e in entries if not e.letter], [e.letter for e in entries if e.letter]),
    )
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=666)).publish(paid(amount=2))
    worker.take(partition.records)
    assert sums(worker) == {"ann": 3}


def test_a_parked_key_waits_in_later_batches_too(worker):
    partition = Partition().publish(paid(amount=666)).publish(paid(customer="bob"))
    worker.take(partition.records)
    partition.publish(paid(amount=1)).publish(paid(customer="bob"))
    worker.take(partition.records[2:])
    assert sums(worker) == {"bob": 200}


def test_an_aggregate_changed_by_the_api_between_batches_is_seen(worker, dsn):
    worker.take(Partition().publish(paid(amount=5)).records)
    other = Worker(dsn)
    other.cursors = {PLACE: Cursor(1, 1)}
    partition = Partition().publish(paid(amount=5)).publish(paid(amount=7)).publish(paid(amount=9))
    other.take(partition.records[1:2])
    other.connection.close()
    worker.cursors = {PLACE: Cursor(2, 2)}
    worker.take(partition.records[2:])
    assert rows(worker, "SELECT sequence FROM log ORDER BY position") == [(1,), (2,), (3,)]


def test_nothing_of_a_batch_stays_when_its_transaction_fails(worker):
    partition = Partition().publish(paid(amount=5))
    reading = worker.read(partition.records)
    worker.connection.execute("ALTER TABLE effect RENAME TO gone")
    with pytest.raises(psycopg.errors.UndefinedTable):
        worker.transaction.take(worker.connection, reading)
    worker.connection.execute("ALTER TABLE gone RENAME TO effect")
    assert sums(worker) == {}
    worker.take(partition.records)
    assert rows(worker, "SELECT sequence FROM log") == [(1,)]


def test_effects_done_long_ago_are_forgotten_and_what_is_published_again_asks_for_none_of_them(worker):
    partition = Partition().publish(paid(amount=5)).publish(paid(amount=7))
    worker.take(partition.records)
    worker.connection.execute("DELETE FROM effect")  # as FORGET_EFFECTS does once they are done
    partition.again(0, 2)
    assert worker.take(partition.records[2:]).effects == 0
    assert rows(worker, "SELECT count(*) FROM effect") == [(0,)]
    assert sums(worker) == {"ann": 12}


def test_a_forged_event_keeps_nobody_waiting_and_is_never_taken(worker):
    partition = (
        Partition().publish(paid(amount=5)).publish(kind="tillstream.loyalty.PointsAdjusted.v1", value=b"{}", key="ann")
    )
    partition.records[1].headers[-2:] = [("ce_logposition", b"9"), ("ce_prevposition", b"1")]
    real = Partition().publish(paid(amount=5)).publish(paid(amount=7)).records[1]
    partition.records.append(Record(2, real.key, real.value, real.headers))
    worker.take(partition.records)
    assert sums(worker) == {"ann": 12}, "the key is not parked"
    ((number, reason),) = rows(worker, "SELECT id, reason FROM dead_letter")
    assert reason == FORGED
    with pytest.raises(ForgedLetter):
        retry(worker.connection, worker.transaction, number, by="test")
    discard(worker.connection, worker.transaction, number, why="forged", by="test")
    assert sums(worker) == {"ann": 12}


def wiped(*events):
    """The topic made anew: offsets begin at 0, and the log goes on where it was."""
    partition = Partition(after=100)
    for event in events:
        partition.publish(event)
    return partition.records


def waiting(worker):
    return rows(worker, 'SELECT "offset"::int, reason FROM dead_letter WHERE settled_at IS NULL ORDER BY id')


def test_on_a_wiped_topic_a_letter_at_the_offset_of_an_older_one_is_kept_too(worker):
    worker.take(Partition().publish(paid(amount=666)).records)
    worker.cursors = {PLACE: Cursor(1, 100)}
    worker.take(wiped(paid(customer="bob", amount=666), paid(customer="bob", amount=5)))
    assert waiting(worker) == [(0, "refused:conflict"), (0, "refused:conflict"), (1, "waiting")]


def test_letters_of_a_key_are_taken_in_the_order_they_came_whatever_their_offsets(worker, monkeypatch):
    before = Partition().publish(paid(customer="bob")).publish(paid(amount=666)).publish(paid(amount=1))
    worker.take(before.records)
    worker.cursors = {PLACE: Cursor(3, 100)}
    worker.take(wiped(paid(amount=2)))
    assert waiting(worker) == [(1, "refused:conflict"), (2, "waiting"), (0, "waiting")]
    monkeypatch.setattr(WhenPaid, "refused", 0)
    retry(worker.connection, worker.transaction, 1, by="ops")
    taken = "SELECT convert_from(data, 'UTF8')::jsonb->>'points' FROM log WHERE stream = 'purse-ann' ORDER BY sequence"
    assert rows(worker, taken) == [("666",), ("1",), ("2",)]


def test_a_settled_letter_that_is_read_once_more_parks_nothing(worker):
    partition = Partition().rubbish(key=b"ann")
    worker.take(partition.records)
    discard(worker.connection, worker.transaction, 1, why="no event", by="ops")
    worker.cursors = {PLACE: Cursor(1, 0)}
    partition.publish(paid(amount=5))
    worker.take(partition.records)
    assert sums(worker) == {"ann": 5}
    assert rows(worker, "SELECT count(*) FROM parked_key") == [(0,)]


def test_an_open_letter_that_is_read_once_more_is_kept_once_and_its_key_waits(worker):
    partition = Partition().rubbish(key=b"ann")
    worker.take(partition.records)
    worker.cursors = {PLACE: Cursor(1, 0)}
    partition.publish(paid(amount=5))
    worker.take(partition.records)
    assert waiting(worker) == [(0, "unreadable-envelope"), (1, "waiting")]
