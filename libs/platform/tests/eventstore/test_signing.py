"""The log is signed at intervals, by one at a time, from its first event on, and never over something that was changed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from till_events.audit import OrderLogSigned, statement
from till_events.chain import START, event_hash, link, mark
from till_events.codec import decode
from till_platform.audit.heads import LogBroken
from till_platform.audit.keys import NotAKey, PublicKey, SigningKey, new_key
from till_platform.audit.signing import Signing
from till_platform.eventstore.errors import VersionConflict
from till_platform.eventstore.restore import LogNotEmpty, restore
from till_platform.parts import open_parts
from till_platform.relay.rows import COLUMNS, envelope_of
from till_platform.settings import Settings, SettingsError

from .things import paid_parcel

PEM, NEXT_PEM = new_key(), new_key()
KEY, NEXT_KEY = SigningKey(PEM), SigningKey(NEXT_PEM)
HEADS = "SELECT type, data FROM log WHERE stream = 'signatures-order' ORDER BY sequence"


class Clock:
    def __init__(self):
        self.ahead = timedelta()

    def now(self):
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def settings(dsn):
    def made(**more):
        given = {
            "service": "order",
            "environment": "local",
            "pg": dsn,
            "kafka": "k",
            "redis": "redis://r",
            "audit_key": PEM,
        }
        return Settings.read(**{**given, **more})

    return made


@pytest.fixture
async def parts(settings, clock):
    async with open_parts(settings(), clock) as parts:
        yield parts


@pytest.fixture
def heads(database):
    def found() -> list[OrderLogSigned]:
        return [decode(kind, data) for kind, data in database.execute(HEADS, binary=True)]

    return found


async def save(parts, number):
    await parts.log.save_each([paid_parcel(n) for n in range(number)])


@pytest.mark.integration
async def test_the_chain_runs_over_every_event_and_its_head_carries_the_signature(parts, settings, heads, database):
    await save(parts, 3)
    signer = Signing(settings())
    assert await signer.sign(parts, at_once=True) == 1
    (head,) = heads()
    rows = database.execute(f"SELECT {COLUMNS} FROM log WHERE position <= 3 ORDER BY position", binary=True).fetchall()
    hashes = [event_hash(envelope_of(row, "/tillstream/order"), row[6], public=row[-1]) for row in rows]
    assert head.hash == head.public_hash == link(link(link(START, hashes[0]), hashes[1]), hashes[2]).hex()
    assert head.marks == "".join(mark(one, public=True) for one in hashes)
    assert (head.since, head.position, head.key_id) == (0, 3, KEY.public.id)
    assert KEY.public.verifies(head.signature, statement(head))
    assert database.execute("SELECT public, actor FROM log WHERE position = 4").fetchone()[0] is True
    assert (await signer.standing())["signed_to"] == 3


@pytest.mark.integration
async def test_a_log_from_before_there_were_signatures_is_signed_from_its_first_event(parts, settings, heads):
    await save(parts, 25)
    signer = Signing(settings(audit_events=10))
    await signer.run(parts)
    assert [(head.since, head.position) for head in heads()] == [(0, 10), (10, 20)]
    assert heads()[1].since_hash == heads()[0].hash


@pytest.mark.integration
async def test_few_events_are_signed_when_the_first_of_them_has_waited_and_a_head_alone_never_is(
    parts, settings, heads, clock
):
    signer = Signing(settings(audit_seconds=60))
    await save(parts, 2)
    assert await signer.sign(parts) == 0
    clock.ahead = timedelta(seconds=61)
    assert await signer.sign(parts) == 1
    clock.ahead = timedelta(hours=5)
    assert await signer.sign(parts) == 0
    await save(parts, 1)
    assert await signer.sign(parts) == 1
    assert [(head.since, head.position) for head in heads()] == [(0, 2), (2, 4)]


@pytest.mark.integration
async def test_a_run_ends_after_some_heads_and_the_next_one_goes_on(parts, settings, heads, monkeypatch):
    monkeypatch.setattr("till_platform.audit.signing.HEADS_AT_ONCE", 2)
    await save(parts, 35)
    often = Signing(settings(audit_events=10))
    assert [await often.sign(parts) for _ in range(3)] == [2, 1, 0]
    assert [head.position for head in heads()] == [10, 20, 30]


@pytest.mark.integration
async def test_of_two_who_sign_at_once_one_is_refused_and_nothing_is_signed_twice(parts, settings, heads):
    await save(parts, 30)
    both = [Signing(settings(audit_events=10)).sign(parts) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {int, VersionConflict}
    await Signing(settings(audit_events=10)).sign(parts, at_once=True)
    ranges = [(head.since, head.position) for head in heads()]
    assert [since for since, _ in ranges] == [0, *(position for _, position in ranges[:-1])]


@pytest.mark.integration
async def test_nothing_is_signed_over_a_head_that_was_changed_or_an_event_that_is_gone(parts, settings, database):
    signer = Signing(settings())
    await save(parts, 3)
    await signer.sign(parts, at_once=True)
    await save(parts, 3)
    database.execute("ALTER TABLE log DISABLE TRIGGER log_is_append_only")
    database.execute("UPDATE log SET position = -6 WHERE position = 6")
    with pytest.raises(LogBroken, match="position 6"):
        await signer.sign(parts, at_once=True)
    database.execute("UPDATE log SET position = 6 WHERE position = -6")
    (data,) = database.execute("SELECT data FROM log WHERE position = 4").fetchone()
    forged = data.replace(b'"position":3', b'"position":2')
    database.execute("UPDATE log SET data = %s WHERE position = 4", [forged])
    with pytest.raises(LogBroken, match="not what was signed"):
        await signer.sign(parts, at_once=True)
    database.execute("UPDATE log SET data = %s WHERE position = 4", [data])
    assert await signer.sign(parts, at_once=True) == 1


@pytest.mark.integration
async def test_the_key_that_is_to_come_is_announced_at_once_and_then_signs(parts, settings, heads):
    await save(parts, 1)
    await Signing(settings()).sign(parts, at_once=True)
    announcing = Signing(settings(audit_next_key=NEXT_KEY.public.pem))
    await save(parts, 1)
    assert await announcing.sign(parts) == 1
    assert await announcing.sign(parts) == 0
    await save(parts, 1)
    await Signing(settings(audit_key=NEXT_PEM)).sign(parts, at_once=True)
    assert [(head.key_id, head.next_key) for head in heads()] == [
        (KEY.public.id, None),
        (KEY.public.id, NEXT_KEY.public.raw.hex()),
        (NEXT_KEY.public.id, None),
    ]


async def test_without_a_key_nothing_is_signed_and_readiness_says_so():
    given = {"service": "order", "environment": "local", "pg": "x", "kafka": "k", "redis": "redis://r"}
    signer = Signing(Settings.read(**given))
    assert signer.jobs == []
    assert await signer.standing() == {"signing": False, "reason": "TILL_AUDIT_KEY is not set"}
    assert [job.name for job in Signing(Settings.read(**given, audit_key=SecretStr(PEM))).jobs] == ["sign-log"]


@pytest.mark.parametrize(
    ("name", "value"), [("audit_key", "no key"), ("audit_key", KEY.public.pem), ("audit_next_key", "no key")]
)
def test_a_text_that_is_no_key_is_refused_at_the_start_and_not_shown(name, value):
    with pytest.raises(SettingsError, match=f"TILL_{name.upper()}: not an Ed25519") as refused:
        Settings.read(service="order", environment="local", pg="x", kafka="k", redis="redis://r", **{name: value})
    assert value not in str(refused.value)


def test_of_a_private_key_the_public_half_is_taken_and_other_keys_are_none():
    assert PublicKey.of_pem(PEM).id == PublicKey.of_pem(KEY.public.pem).id == KEY.public.id
    for text in ("", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(NotAKey):
            PublicKey.of_pem(text)
    assert not KEY.public.verifies("zz", b"")
    assert not NEXT_KEY.public.verifies(KEY.sign(b"a"), b"a")


@pytest.mark.integration
async def test_a_log_is_put_back_where_nothing_was_recorded_and_nowhere_else(parts, database, infra):
    import psycopg

    from till_platform.eventstore.append import COLUMNS as IN_ORDER
    from till_platform.eventstore.schema import migrate

    await save(parts, 3)
    rows = database.execute(f"SELECT {', '.join(IN_ORDER)} FROM log ORDER BY position", binary=True).fetchall()
    with psycopg.connect(infra.database("restored"), autocommit=True) as other:
        migrate(other)
        with other.transaction():
            assert restore(other, rows) == 3
        assert other.execute(f"SELECT {', '.join(IN_ORDER)} FROM log ORDER BY position", binary=True).fetchall() == rows
        assert other.execute("SELECT position FROM log_head").fetchone() == (3,)
        with pytest.raises(LogNotEmpty), other.transaction():
            restore(other, rows)
