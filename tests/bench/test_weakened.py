"""B9 compares the worker with weakened ones: a safety that is taken out must be out, and the others must not be."""

import pytest
from payments import Story
from weakened import Neither, NoLetters, NoRepeats

from till_events.base import declaration_of
from till_events.codec import UnreadableEvent, encode
from till_events.order import OrderPaymentRecorded
from till_events.topics import source_of
from till_platform.relay.rows import headers_of
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import Reader

PLACE = ("till.order", 0)
KINDS = (Reader, NoRepeats, NoLetters, Neither)


class Record:
    def __init__(self, position, payment):
        kind, at = declaration_of(OrderPaymentRecorded).type, payment.occurred_at
        event_id = f"0195f3a0-0000-7000-8000-{position:012d}"
        row = (position, f"order-{payment.order_id}", 1, event_id, kind, payment.customer_id, b"", at, at)
        headers = headers_of((*row, event_id, None, "cashier:17", "404", None, True), source_of("order"))
        self.headers = [*headers, ("ce_prevposition", b"%d" % (position - 1))]
        self.offset, self.key, self.value = position - 1, payment.customer_id.encode(), encode(payment)


def records(amount=3):
    return [Record(number, payment) for number, payment in enumerate(Story(amount), start=1)]


def read(kind, told):
    return kind([OrderPaymentRecorded]).read({PLACE: told}, {PLACE: Cursor()})


def facts(reading):
    return [entry.fact.event for entry in reading.entries if entry.fact]


@pytest.mark.parametrize("kind", KINDS)
def test_of_sound_records_every_reader_makes_the_same(kind):
    reading = read(kind, records())
    assert facts(reading) == list(Story(3))
    assert reading.after[PLACE].next_offset == 3


@pytest.mark.parametrize(("kind", "amount"), [(Reader, 3), (NoLetters, 3), (NoRepeats, 4), (Neither, 4)])
def test_a_repeat_is_taken_again_only_where_dedupe_is_out(kind, amount):
    told = records()
    assert len(facts(read(kind, [*told, told[0]]))) == amount


@pytest.mark.parametrize("kind", [Reader, NoRepeats])
def test_a_bad_record_becomes_a_letter_where_dead_letters_are_on(kind):
    told = records()
    told[1].value = b"{"
    reading = read(kind, told)
    assert [entry.letter.reason for entry in reading.entries if entry.letter] == ["unreadable-event"]
    assert len(facts(reading)) == 2


@pytest.mark.parametrize("kind", [NoLetters, Neither])
def test_a_bad_record_stops_everything_where_dead_letters_are_out(kind):
    told = records()
    told[1].value = b"{"
    with pytest.raises(UnreadableEvent):
        read(kind, told)
