"""The model of PostgreSQL does what PostgreSQL does, in every scenario our code leans on."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest
from faultlab.simulation.shop import PAID, Order, Payments
from psycopg.types.json import Jsonb

from till_events import catalogue
from till_platform.batch import Fact
from till_platform.context import Context
from till_platform.effects import sender
from till_platform.eventstore.append import _ANSWERS, Commit, StoredAnswer, append
from till_platform.eventstore.schema import migrate
from till_platform.eventstore.stored import LoggedEvent
from till_platform.projections import tables
from till_platform.projections.db import Db
from till_platform.relay import relay
from till_platform.testing.logs import append_at_once
from till_platform.worker import cursor, letters, parking, unit
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import Entry, Letter

from .stages import ModelStage, RealStage

assert catalogue
assert Fact
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORKER, PLACE = "w", ("t", 0)
ORIGIN = Context(correlation_id="c")


def paid(order="o", version=1, answer=None):
    """A command that records the next payment of an order that has some."""
    found = Order(f"order-{order}")
    found.version, found.key = version - 1, "ann"
    found.pay(f"p{version}", "ann", 5, NOON)
    return Commit([LoggedEvent.of(recorded) for recorded in found.collect_events()], ORIGIN, answer)


def outcomes(found):
    return [one if isinstance(one, int) else type(one).__name__ for one in found]


def appends(*commits):
    def script(connection):
        with connection.transaction():
            yield outcomes(append(connection, commits))

    return script


def appends_at_once(*commits):
    def script(connection):
        yield append_at_once(connection, commits)

    return script


def reads_answers(connection):
    yield [row[:3] for row in connection.execute(_ANSWERS, [["k"]])]


def reads_the_log(connection):
    while True:
        yield [row[:3] for row in connection.execute(relay._PENDING, [0, 100])]


def moves(old, new, *, give_up=False):
    def script(connection):
        yield cursor.read_cursors(connection, WORKER, [PLACE])[PLACE].next_offset
        with connection.transaction():
            cursor.advance(connection, WORKER, [(PLACE, Cursor(old, old), Cursor(new, new))])()
            yield "moved"
            if give_up:
                raise ValueError
        yield cursor.read_cursors(connection, WORKER, [PLACE])[PLACE].next_offset

    return script


def asks(key, *, give_up=False):
    def script(connection):
        with connection.transaction():
            values = ["message", key, Jsonb({}), NOON, "c", None, None]
            yield connection.execute(unit._ASK, values).rowcount
            if give_up:
                raise ValueError

    return script


def claims(limit):
    def script(connection):
        values = {"kind": "message", "limit": limit, "lease": timedelta(hours=1), "now": NOON}
        with connection.transaction():
            yield [row[2:5] for row in connection.execute(sender._CLAIM, values)]
        yield "claimed"

    return script


def puts_off(connection):
    yield connection.execute(sender._POSTPONE, [NOON, "no answer", 1, 1]).rowcount


def leads(connection):
    yield connection.execute(relay._LEAD, ["t"]).fetchone()
    taken = connection.execute(relay._TAKE_OVER, ["t"]).fetchone()
    yield taken
    yield connection.execute(relay._MARK, [7, Jsonb({"0": (3, 7)}), "t", taken[1]]).rowcount
    connection.close()
    yield "closed"


def letter(offset, value=b"x", key=b"ann"):
    record = SimpleNamespace(offset=offset, key=key, value=value, headers=[("ce_id", b"e")])
    return Letter(PLACE, record, "bad", "")


def entry(offset, value=b"x"):
    found = letter(offset, value)
    return Entry(PLACE, found.record, Cursor(offset + 1), letter=found)


def buries(*buried):
    def script(connection):
        with connection.transaction():
            yield sorted(parking.parked_keys(connection, WORKER))
            parking.bury(connection, WORKER, buried)
            yield "buried"

    return script


def looks_after_letters(connection):
    parking.bury(connection, WORKER, [letter(5), letter(5), letter(6), letter(5, b"other")])
    waiting = letters._waiting(connection, letters.letter(connection, 1))
    yield [(found.id, found.offset, found.value) for found in waiting]
    connection.execute(letters._SETTLE, ["discarded", "why", "ops", waiting[0].id])
    left = parking.without_settled(connection, WORKER, [entry(5), entry(6), entry(5, b"other")])
    yield [(found.record.offset, found.record.value) for found in left]
    letters._release(connection, waiting[0])
    yield sorted(parking.parked_keys(connection, WORKER))
    for found in waiting[1:]:
        connection.execute(letters._SETTLE, ["retried", None, "ops", found.id])
    letters._release(connection, waiting[0])
    yield sorted(parking.parked_keys(connection, WORKER))


def parks(connection):
    connection.execute(parking._PARK, [WORKER, "t", b"ann"])
    yield "parked"


def reads_parked(connection):
    with connection.transaction():
        yield sorted(parking.parked_keys(connection, WORKER))
    yield "read"


def releases(connection):
    with connection.transaction():
        yield connection.execute(letters._LOCK, [WORKER, "t", b"ann"]).fetchall()
        yield connection.execute(letters._RELEASE, [WORKER, "t", b"ann"] * 2).rowcount
    yield "released"


def half_rolled_back(connection):
    with connection.transaction():
        connection.execute(parking._PARK, [WORKER, "t", b"first"])
        try:
            with connection.transaction():
                connection.execute(parking._PARK, [WORKER, "t", b"second"])
                raise ValueError  # noqa: TRY301 - inside is the point
        except ValueError:
            yield sorted(parking.parked_keys(connection, WORKER))
    yield sorted(parking.parked_keys(connection, WORKER))


def writes_a_read_model(connection):
    db = Db(connection)
    with connection.transaction(), tables.inside(connection, Payments.name):
        db.upsert(PAID, [("ann", 1, 5, 5), ("bob", 1, 7, 7)])
        db.add(PAID, [("ann", 1, 5, 9), ("eve", 1, 1, 1)], sums=("payments", "amount_minor"))
        db.insert(PAID, [("bob", 9, 9, 9)])
        yield sorted(db.get(PAID, [("ann",), ("bob",), ("eve",), ("nobody",)]).values())


ONE_KEY = StoredAnswer("k", b"f", 201, b"{}")
SCENARIOS = {
    "one after the other, positions follow": ({"a": appends(paid("o")), "b": appends(paid("p"))}, "aabb"),
    "whoever appends second waits, and his version is too old": ({"a": appends(paid()), "b": appends(paid())}, "abab"),
    "whoever appends second waits, and comes behind": ({"a": appends(paid("o")), "b": appends(paid("p"))}, "abab"),
    "a conflict refuses one command, not its neighbours": (
        {"a": appends(paid(version=2), paid("p")), "r": reads_the_log},
        "aar",
    ),
    "what fits is appended at once": (
        {"a": appends_at_once(paid(), paid("p")), "b": appends_at_once(paid(version=2)), "r": reads_the_log},
        "abr",
    ),
    "where one does not fit nothing is appended at once": (
        {"a": appends_at_once(paid(version=2), paid("p")), "r": reads_the_log},
        "ar",
    ),
    "what is appended at once waits for whoever appends, and sees what he wrote": (
        {"a": appends(paid()), "b": appends_at_once(paid()), "c": appends_at_once(paid(version=2)), "r": reads_the_log},
        "abacr",
    ),
    "an answer that was given is not given again at once": (
        {
            "a": appends_at_once(paid("o", 1, ONE_KEY), paid("p")),
            "b": appends_at_once(paid("q", 1, ONE_KEY)),
            "r": reads_answers,
        },
        "abr",
    ),
    "what is not committed is not seen": ({"a": appends(paid(), paid("p")), "r": reads_the_log}, "rarar"),
    "one idempotency key is one command": (
        {"a": appends(paid("o", 1, ONE_KEY)), "b": appends(paid("p", 1, ONE_KEY))},
        "abab",
    ),
    "two consumers move one checkpoint: the second is fenced": ({"a": moves(0, 5), "b": moves(0, 7)}, "ababab"),
    "a step that is rolled back fences nobody": ({"a": moves(0, 5, give_up=True), "b": moves(0, 7)}, "ababb"),
    "a checkpoint that stands elsewhere does not move": ({"a": moves(3, 5)}, "aa"),
    "an effect asked for twice is asked for once": ({"a": asks("k"), "b": asks("k")}, "aabb"),
    "whoever asks second waits for the first": ({"a": asks("k"), "b": asks("k")}, "abab"),
    "and asks himself if that one gave up": ({"a": asks("k", give_up=True), "b": asks("k")}, "abab"),
    "a claim passes over what another one has": (
        {"x": asks("k"), "y": asks("l"), "a": claims(1), "b": claims(5), "c": claims(5)},
        "xxyyababcc",
    ),
    "what is put off can be claimed again": (
        {"x": asks("k"), "a": claims(5), "p": puts_off, "b": claims(5)},
        "xxaapbb",
    ),
    "one relay leads until its session ends; its mark is void after": ({"a": leads, "b": leads}, "ababaabb"),
    "letters": ({"a": looks_after_letters}, "aaaaa"),
    "a letter is buried beside a batch of another partition": (
        {"a": buries(letter(5)), "b": buries(letter(9))},
        "aabbab",
    ),
    "a key is not released while a batch reads it": ({"x": parks, "a": reads_parked, "b": releases}, "xxababb"),
    "a batch waits for the release of a key": ({"x": parks, "a": reads_parked, "b": releases}, "xxbbaba"),
    "a savepoint takes back its own part only": ({"a": half_rolled_back}, "aaa"),
    "a read model is written in the few ways there are": ({"a": writes_a_read_model}, "aa"),
}


def play(stage, name):
    scripts, turns = SCENARIOS[name]
    return stage.play(scripts, turns)


@pytest.fixture
def real(infra):
    address = infra.database("model")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
        connection.execute("CREATE SCHEMA extensions")
        tables.create(connection, Payments(), Payments.name)
    stage = RealStage(address)
    yield stage
    stage.close()


@pytest.mark.integration
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_model_does_what_postgresql_does(real, name):
    assert play(ModelStage(), name) == play(real, name)


@pytest.mark.integration
def test_control_a_model_without_locks_is_found_out(real, monkeypatch):
    name = "whoever appends second waits, and comes behind"
    monkeypatch.setattr("faultlab.simulation.postgres.Lock.free_for", lambda *_, **__: True)
    assert play(ModelStage(), name) != play(real, name)
