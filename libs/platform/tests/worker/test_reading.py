import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from till_events.order import OrderPaymentRecorded
from till_platform.kafka.signatures import Signer, Trust, new_signing_key
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import FORGED, Reader

from .records import PLACE, Partition, Record, paid


def read(partition, cursor=None, start=0):
    cursor = cursor or Cursor()
    return Reader([OrderPaymentRecorded]).read({PLACE: partition.records[start:]}, {PLACE: cursor})


def amounts(reading):
    return [entry.fact.event.amount_minor for entry in reading.entries if entry.fact]


def test_facts_come_in_the_order_of_the_partition_and_move_its_cursor():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2), skip=5)
    reading = read(partition)
    assert amounts(reading) == [1, 2]
    assert reading.after == {PLACE: Cursor(2, 7)}


def test_what_was_published_again_is_told_by_its_position():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2)).again(0, 2).publish(paid(amount=3))
    reading = read(partition)
    assert amounts(reading) == [1, 2, 3]
    assert reading.repeats == 2


def test_an_event_that_is_missing_is_a_hole_and_nothing_is_read_over_it():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3))
    del partition.records[1]
    reading = read(partition)
    assert amounts(reading) == [1]
    assert reading.after == {PLACE: Cursor(1, 1, hole=2)}


def test_a_topic_whose_beginning_is_gone_is_a_hole():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2))
    reading = read(partition, start=1)
    assert amounts(reading) == []
    assert reading.after == {PLACE: Cursor(0, 0, hole=1)}


def test_a_record_out_of_place_is_not_taken_before_the_refill_behind_it_comes_to_it():
    """A relay sent it into a topic that had been wiped a moment ago, and then refilled the topic."""
    refill = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3))
    stray = refill.records[2]
    reading = read(Partition().holding([stray, *refill.records]))
    assert amounts(reading) == [1, 2, 3]
    assert reading.after == {PLACE: Cursor(4, 3)}


def test_behind_a_hole_the_place_is_kept_so_that_whoever_begins_there_finds_the_same_hole():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3)).again(0, 1)
    del partition.records[1]
    first = read(partition.rubbish())
    assert first.after[PLACE].next_offset == 1
    assert read(partition, Cursor(1, 1), start=1).after == first.after


def test_a_topic_that_was_wiped_and_refilled_is_read_from_its_beginning_without_taking_anything_twice():
    before = Partition().publish(paid(amount=1)).publish(paid(amount=2)).again(0, 2)
    cursor = read(before).after[PLACE]
    refilled = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3))
    reading = read(refilled, Cursor(0, cursor.last_position))
    assert amounts(reading) == [3]


def test_unknown_types_are_skipped_and_count_as_read():
    partition = Partition().publish(kind="tillstream.order.Novelty.v1", value=b"{}", key="ann").publish(paid())
    reading = read(partition)
    assert len(reading.entries) == 1
    assert reading.after[PLACE].last_position == 2


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("tillstream.order.OrderPaymentRecorded.v9", b"{}", "unknown-major"),
        ("tillstream.order.OrderPaymentRecorded.v1", b"{", "unreadable-event"),
        ("tillstream.order.OrderPaymentRecorded.v1", b'{"order_id": 5}', "unreadable-event"),
        ("tillstream.order.OrderPaymentRecorded.v1", b"[" * 100_000, "unreadable-event"),
        ("tillstream.order.OrderPaymentRecorded.v1", b'"' + b"x" * 5_000_000 + b'"', "unreadable-event"),
        ("tillstream.order.OrderPaymentRecorded.v1", b"\xff\xfe", "unreadable-event"),
        ("tillstream.order.OrderPaymentRecorded.v1", b"NaN", "unreadable-event"),
    ],
)
def test_what_cannot_be_read_becomes_a_letter_with_its_bytes(kind, value, reason):
    partition = Partition().publish(kind=kind, value=value, key="ann").publish(paid(customer="bob"))
    reading = read(partition)
    assert reading.entries[0].letter.reason == reason
    assert reading.entries[0].letter.record.value == value
    assert amounts(reading) == [100]


def test_rubbish_without_headers_becomes_a_letter_and_moves_no_position():
    reading = read(Partition().publish(paid()).rubbish().publish(paid()))
    assert [entry.letter.reason for entry in reading.entries if entry.letter] == ["unreadable-envelope"]
    assert reading.after[PLACE] == Cursor(3, 2)


@given_any(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 40))
def test_a_reading_cut_in_two_anywhere_moves_the_cursors_as_one(kinds, seed):
    partition = Partition()
    for kind in kinds:
        if kind == 0:
            partition.rubbish()
        else:
            partition.publish(paid(amount=kind), skip=seed % 3)
    reading = read(partition)
    first, second = reading.halves()
    assert first.entries + second.entries == reading.entries
    assert first.before == reading.before
    assert first.after == second.before
    assert second.after == reading.after


def forged(kind=None, position=3, previous=2):
    """One that the owner did not send, made to fit where the partition ends."""
    (one,) = Partition().publish(paid(customer="eve"), kind=kind).records
    return [*one.headers[:-2], ("ce_logposition", b"%d" % position), ("ce_prevposition", b"%d" % previous)]


def with_a_forgery(partition, headers):
    value = Partition().publish(paid(customer="eve", amount=666)).records[0].value
    partition.records.append(Record(len(partition.records), b"eve", value, headers))
    return partition


def test_an_event_on_the_topic_of_another_service_is_forged_and_moves_no_position():
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2))
    headers = forged("tillstream.loyalty.PointsAccrued.v1")
    reading = read(with_a_forgery(partition, headers))
    assert [entry.letter.reason for entry in reading.entries if entry.letter] == [FORGED]
    assert reading.after[PLACE] == Cursor(3, 2)


def signing(partition, signer):
    for record, proof in zip(partition.records, signer.sign([(PLACE, one) for one in partition.records]), strict=True):
        record.headers.append(proof)
    return partition


def test_a_forged_event_is_buried_and_what_the_owner_sends_after_it_is_read():
    signer = Signer(new_signing_key())
    reader = Reader([OrderPaymentRecorded], Trust({"order": [signer.public]}))
    genuine = signing(Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3)), signer)
    last = genuine.records.pop()
    partition = with_a_forgery(genuine, forged())
    partition.records.append(Record(len(partition.records), last.key, last.value, last.headers))
    reading = reader.read({PLACE: partition.records}, {PLACE: Cursor()})
    assert amounts(reading) == [1, 2, 3]
    assert [entry.letter.reason for entry in reading.entries if entry.letter] == [FORGED]


def test_control_without_trusted_keys_a_forged_event_that_fits_is_taken_and_stops_what_follows():
    partition = with_a_forgery(Partition().publish(paid(amount=1)).publish(paid(amount=2)), forged())
    real = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3)).records[2]
    partition.records.append(Record(3, real.key, real.value, real.headers))
    reading = read(partition)
    assert amounts(reading) == [1, 2, 666]
    assert reading.repeats == 1, "its position was taken"


def test_what_was_refused_for_want_of_a_key_is_read_once_the_key_is_known():
    old, new = Signer(new_signing_key()), Signer(new_signing_key())
    partition = Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3))
    for record, signer in zip(partition.records, (old, new, new), strict=True):
        record.headers += signer.sign([(PLACE, record)])
    knows_old = Reader([OrderPaymentRecorded], Trust({"order": [old.public]}))
    knows_both = Reader([OrderPaymentRecorded], Trust({"order": [old.public, new.public]}))
    before = knows_old.read({PLACE: partition.records[:2]}, {PLACE: Cursor()}).after[PLACE]
    assert before == Cursor(2, 1)
    assert knows_both.read({PLACE: partition.records[2:]}, {PLACE: before}).after[PLACE].hole == 2
    again = knows_both.read({PLACE: partition.records}, {PLACE: Cursor(0, before.last_position)})
    assert amounts(again) == [2, 3]


def test_headers_are_found_in_whatever_order_and_number_they_come():
    """Where they stood in the record before is only a guess."""
    partition = (
        Partition().publish(paid(amount=1)).publish(paid(amount=2)).publish(paid(amount=3)).publish(paid(amount=4))
    )
    first, second, third, fourth = partition.records
    second.headers = list(reversed(second.headers))
    third.headers = [("another", b"1"), *third.headers]
    fourth.headers = [*fourth.headers[1:], ("another", b"1"), fourth.headers[0]]
    assert len(fourth.headers) == len(third.headers) == len(first.headers) + 1
    assert amounts(read(partition)) == [1, 2, 3, 4]
