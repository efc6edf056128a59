"""What is kept of a record that could not be taken: enough to mend it, never edited, and nothing overwritten."""

import psycopg
import pytest

from till_events.order import OrderPaymentRecorded
from till_platform.eventstore.schema import migrate
from till_platform.worker.cursor import Cursor
from till_platform.worker.parking import bury
from till_platform.worker.reading import Letter, Reader

from .records import PLACE, Partition, Record


@pytest.fixture
def connection(infra):
    with psycopg.connect(infra.database("letters"), autocommit=True) as found:
        migrate(found)
        yield found


def faults(*headers):
    partition = Partition()
    partition.records = [Record(number, None, b"{}", list(given)) for number, given in enumerate(headers)]
    reading = Reader([OrderPaymentRecorded]).read({PLACE: partition.records}, {PLACE: Cursor()})
    return [entry.letter.detail for entry in reading.entries]


def test_a_letter_says_what_is_wrong_with_the_envelope_in_words():
    whole = {"ce_logposition": b"1", "ce_prevposition": b"0", "ce_type": b"any", "ce_partitionkey": b"ann"}
    wrong = [
        {**whole, name: value}.items()
        for name, value in (("ce_logposition", b"first"), *((name, None) for name in whole))
    ]
    not_a_number = "header ce_logposition or ce_prevposition is not a number, or one that we need is null"
    assert faults([], [("ce_logposition", b"1")], *wrong) == [
        "header ce_logposition is missing",
        "header ce_prevposition is missing",
        *[not_a_number] * 5,
    ]


@pytest.mark.integration
def test_a_letter_at_the_place_of_another_is_kept_beside_it(connection):
    """A topic was wiped: offsets begin again. The same record met again is the same letter."""
    for value in (b"one", b"other", b"one"):
        bury(connection, "test.worker", [Letter(PLACE, Record(0, b"ann", value), "unreadable-event", "")])
    assert connection.execute("SELECT value FROM dead_letter ORDER BY id").fetchall() == [(b"one",), (b"other",)]


@pytest.mark.integration
def test_a_letter_is_not_edited_and_is_settled_once(connection):
    bury(connection, "test.worker", [Letter(PLACE, Record(0, b"ann", b"one"), "unreadable-event", "")])
    with pytest.raises(psycopg.errors.RaiseException, match="not edited"):
        connection.execute("UPDATE dead_letter SET value = 'nicer'")
    settle = "UPDATE dead_letter SET settled_at = now(), settled_how = 'discarded', settled_why = 'rubbish', settled_by = 'ann'"
    assert connection.execute(settle).rowcount == 1, "control: an open one can be settled"
    for change in (settle, "DELETE FROM dead_letter", "TRUNCATE dead_letter"):
        with pytest.raises(psycopg.errors.RaiseException, match=r"settled|kept"):
            connection.execute(change)
