"""Whatever is done to a signed log is found, and the first thing done is named."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tillstream.audit.check import Check, Entry
from tillstream.exports.lines import to_line

from .books import KEY, NEXT_KEY, SOURCE, STRANGERS_KEY, Book, checked, forged, rechained

BOOK = Book().record(4).sign().record(5).sign().record(3).sign().record(2)
SIGNED = 14
EVENTS = [entry.envelope.position for entry in BOOK.entries if entry.envelope.position <= SIGNED]
PUBLIC = [position for position in EVENTS if BOOK.entries[position - 1].public]
positions = st.sampled_from(EVENTS)


def changed_envelope(name, value):
    return lambda entry: replace(entry, envelope=msgspec.structs.replace(entry.envelope, **{name: value}))


CHANGES = {
    "subject": "sale-x",
    "sequence": 99,
    "id": "019ac600-1000-7000-8000-000000000000",
    "type": "tillstream.order.Bought.v1",
    "key": "someone-else",
    "time": BOOK.entries[0].envelope.recorded_at,
    "recorded_at": BOOK.entries[0].envelope.time,
    "correlation_id": "c-x",
    "causation_id": "c-y",
    "actor": "",
    "store_id": "",
    "traceparent": "00-x",
}


@pytest.mark.parametrize("whole", [True, False], ids=["log", "topic"])
def test_an_untouched_log_is_sound_and_what_is_not_signed_yet_is_counted(whole):
    verdict = checked(BOOK.entries, whole=whole)
    assert (verdict.problem, verdict.heads, verdict.signed_to) == (None, 3, SIGNED)
    assert verdict.unsigned == len([entry for entry in BOOK.entries[SIGNED:] if whole or entry.public])
    assert verdict.events == (17 if whole else sum(entry.public for entry in BOOK.entries))


@settings(max_examples=150, deadline=None)
@given(positions, st.data())
def test_any_byte_altered_is_found_and_its_event_named_though_every_hash_beside_it_fits(position, data):
    at = data.draw(st.integers(0, len(BOOK.entries[position - 1].data) - 1))
    flip = data.draw(st.integers(1, 255))

    def change(entry: Entry) -> Entry:
        altered = bytearray(entry.data)
        altered[at] ^= flip
        return replace(entry, data=bytes(altered))

    verdict = checked(forged(BOOK, position, change))
    assert verdict.problem is not None
    assert (verdict.problem.position, verdict.problem.kind) == (position, "altered")


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("whole", [True, False], ids=["log", "topic"])
def test_anything_altered_about_an_event_is_found(name, whole):
    position = 7
    verdict = checked(forged(BOOK, position, changed_envelope(name, CHANGES[name])), whole=whole)
    assert verdict.problem is not None
    assert (verdict.problem.position, verdict.problem.kind) == (position, "altered")


def test_a_private_event_made_public_is_found_in_the_log_and_on_the_topic():
    made_public = forged(BOOK, 3, lambda entry: replace(entry, public=True))
    assert checked(made_public).problem.position == 3
    on_topic = checked(made_public, whole=False).problem
    assert (on_topic.position, on_topic.kind) == (3, "added")


@settings(max_examples=60, deadline=None)
@given(positions)
def test_any_event_taken_away_is_found_and_named(position):
    left = [entry for entry in BOOK.entries if entry.envelope.position != position]
    problem = checked(left).problem
    assert (problem.position, problem.kind) == (position, "missing")
    if position in PUBLIC:
        problem = checked(left, whole=False).problem
        assert (problem.position, problem.kind) == (position, "missing")


@settings(max_examples=60, deadline=None)
@given(positions)
def test_any_event_taken_away_with_all_later_ones_renumbered_is_found(position):
    left = [entry for entry in BOOK.entries if entry.envelope.position != position]
    moved = [
        changed_envelope("position", number)(entry) if entry.envelope.position != number else entry
        for number, entry in enumerate(left, 1)
    ]
    assert checked(rechained(moved)).problem.position == position


@settings(max_examples=60, deadline=None)
@given(positions)
def test_any_event_added_is_found_and_named(position):
    stranger = BOOK.entries[position - 1]
    twice = [*BOOK.entries[:position], stranger, *BOOK.entries[position:]]
    problem = checked(twice).problem
    assert (problem.position, problem.kind) == (position, "added")
    moved = [
        changed_envelope("position", number)(entry) if entry.envelope.position != number else entry
        for number, entry in enumerate(twice, 1)
    ]
    if position < SIGNED:
        assert checked(rechained(moved)).problem.position == position + 1


@settings(max_examples=100, deadline=None)
@given(positions, positions)
def test_any_two_events_swapped_are_found_and_the_first_is_named(one, other):
    first, second = sorted((one, other))
    swapped = list(BOOK.entries)
    swapped[first - 1], swapped[second - 1] = swapped[second - 1], swapped[first - 1]
    problem = checked(swapped).problem
    if first == second:
        assert problem is None
        return
    assert (problem.position, problem.kind) == (first, "reordered")
    renumbered = list(BOOK.entries)
    for here, there in ((first, second), (second, first)):
        renumbered[here - 1] = changed_envelope("position", here)(BOOK.entries[there - 1])
    assert checked(rechained(renumbered)).problem.position == first


def test_a_topic_may_repeat_an_event_and_not_another_one_in_its_place():
    check = Check(SOURCE, [KEY.public], whole=False)
    public = [entry for entry in BOOK.entries if entry.public]
    for entry in [*public[:5], *public[2:]]:
        check.take(entry)
    assert check.verdict().problem is None
    check.take(replace(public[2], data=b"{}"))
    assert (check.verdict().problem.kind, check.verdict().problem.position) == ("added", public[2].envelope.position)


def test_events_of_a_topic_may_come_in_the_order_of_its_partitions():
    check = Check(SOURCE, [KEY.public], whole=False)
    public = [entry for entry in BOOK.entries if entry.public]
    for partition in (1, 0):
        for entry in public[partition::2]:
            check.take(entry)
    assert check.verdict().problem is None


def test_a_log_signed_by_somebody_else_is_not_believed():
    problem = checked(Book().record(3).sign(STRANGERS_KEY).entries).problem
    assert "neither given nor announced" in problem.detail


def test_a_key_that_was_announced_takes_over_and_the_one_before_it_is_done():
    book = (
        Book().record(3).sign().record(2).sign(KEY, NEXT_KEY.public).record(2).sign(NEXT_KEY).record(1).sign(NEXT_KEY)
    )
    assert checked(book.entries).problem is None
    again = book.record(2).sign(KEY)
    assert "neither given nor announced" in checked(again.entries).problem.detail


def test_control_a_key_that_nobody_announced_does_not_take_over():
    book = Book().record(3).sign().record(2).sign(NEXT_KEY)
    problem = checked(book.entries).problem
    assert (problem.position, problem.kind) == (7, "altered")


def test_a_forger_with_a_key_of_his_own_who_signs_everything_anew_is_found():
    forgery = Book().record(2)
    forgery.entries[0] = replace(forgery.entries[0], data=b'{"minor":1000000}')
    forgery = forgery.record(2).sign(STRANGERS_KEY)
    assert checked(rechained(forgery.entries)).problem is not None


def test_a_head_that_is_cut_out_and_all_after_it_moved_up_is_found():
    book = Book().record(2).sign().record(2).sign()
    without = [*book.entries[:2], *(changed_envelope("position", n)(e) for n, e in enumerate(book.entries[3:], 3))]
    assert checked(rechained(without)).problem.position == 3


def test_an_export_that_begins_in_the_middle_is_checked_from_there():
    check = Check(SOURCE, [KEY.public], partial=True)
    for entry in BOOK.entries[6:]:
        check.take(entry)
    assert (check.verdict().problem, check.verdict().first) == (None, 7)
    assert checked(BOOK.entries[6:]).problem.kind == "missing"


def test_without_a_key_the_hashes_are_still_checked():
    check = Check(SOURCE, None)
    for entry in forged(BOOK, 6, lambda entry: replace(entry, data=b"{}")):
        check.take(entry)
    assert check.verdict().problem.position == 6


def test_control_after_the_last_head_only_the_hash_beside_an_event_tells():
    """What is not signed yet can be forged by whoever can write: that is the window of exposure."""
    position = SIGNED + 3
    careless = list(BOOK.entries)
    careless[position - 1] = replace(careless[position - 1], data=b"{}")
    assert checked(careless).problem.position == position
    assert checked(rechained(careless)).problem is None


def test_control_lines_are_what_was_recorded():
    assert len({to_line(entry) for entry in BOOK.entries}) == len(BOOK.entries)
