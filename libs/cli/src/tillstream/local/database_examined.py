"""What a service's database tells of its health: what waits in the tables that every service has."""

from collections.abc import Iterator

import psycopg

from till_platform.audit.heads import stream_of
from till_platform.eventstore.schema import steps
from tillstream.local.finding import Finding

OLD_SECONDS = 60.0
LONG_UNSIGNED_SECONDS = 600
LONG_REFUSED_SECONDS = 1800
_SIGNED = """
SELECT head.position, signed.position, coalesce(extract(epoch FROM clock_timestamp() - (
    SELECT recorded_at FROM log WHERE log.position > signed.position AND stream <> %(stream)s ORDER BY log.position LIMIT 1
))::float8, 0)
FROM log_head AS head, (SELECT coalesce((
    SELECT (convert_from(data, 'UTF8')::jsonb ->> 'position')::bigint FROM log WHERE stream = %(stream)s ORDER BY sequence DESC LIMIT 1
), 0) AS position) AS signed
"""
_UNPUBLISHED = """
SELECT head.position - coalesce(mark.position, 0), coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0)::float8
FROM log_head AS head LEFT JOIN relay_mark AS mark ON true LEFT JOIN log AS next ON next.position = coalesce(mark.position, 0) + 1
"""
_EFFECTS = """
SELECT count(*), count(*) FILTER (WHERE attempts > 0), coalesce(extract(epoch FROM clock_timestamp() - min(not_before)), 0)::float8
FROM effect WHERE done_at IS NULL AND not_before < clock_timestamp()
"""
_WEBHOOKS = """
SELECT name, disabled_at IS NOT NULL, coalesce(failing_since < clock_timestamp() - make_interval(secs => %s), false)
FROM webhook ORDER BY name
"""


def examine_database(service: str, database: psycopg.Connection) -> Iterator[Finding]:
    """Look at the steps taken, the outbox, what could not be read, and what is to leave the house."""
    (taken,) = _row(database, "SELECT count(*) FROM migration")
    known = len(steps())
    yield Finding(
        f"tables of {service}",
        ok=taken == known,
        detail=f"{taken} of {known} steps taken",
        remedy="till down && till up -d (takes those that are missing)",
    )
    behind, age = _row(database, _UNPUBLISHED)
    yield Finding(
        f"outbox of {service}",
        ok=age < OLD_SECONDS,
        detail=f"{behind} events to publish{f', the oldest for {age:.0f} s' if behind else ''}",
        remedy=f"till logs {service} (its relay says what keeps it)",
    )
    letters, keys = _row(
        database,
        "SELECT (SELECT count(*) FROM dead_letter WHERE settled_at IS NULL), (SELECT count(*) FROM parked_key)",
    )
    yield Finding(
        f"dead letters of {service}",
        ok=letters == 0,
        detail=f"{letters}{f', {keys} keys wait behind them' if keys else ''}",
        remedy=f"till dlq list {service}",
    )
    due, failing, waited = _row(database, _EFFECTS)
    yield Finding(
        f"effects of {service}",
        ok=failing == 0 and waited < OLD_SECONDS,
        detail=f"{due} due, {failing} tried in vain{f', the oldest for {waited:.0f} s' if due else ''}",
        remedy=f"till logs {service}",
    )
    yield _webhooks(service, database)
    yield _signatures(service, database)


def _webhooks(service: str, database: psycopg.Connection) -> Finding:
    """Who is called and takes nothing. What they have not got waits in the log."""
    found = database.execute(_WEBHOOKS, [LONG_REFUSED_SECONDS]).fetchall()
    wrong = {
        name: "is disabled" if disabled else "takes nothing"
        for name, disabled, refusing in found
        if disabled or refusing
    }
    first = next(iter(wrong), "")
    return Finding(
        f"webhooks of {service}",
        ok=not wrong,
        detail=", ".join(f"{name} {state}" for name, state in wrong.items()) or f"{len(found)} receivers, none refuses",
        remedy=f"till webhooks show {service} {first}, and when it is well again: till webhooks enable {service} {first}",
    )


def _signatures(service: str, database: psycopg.Connection) -> Finding:
    """How far the log is signed. What nobody signs can be changed by whoever runs the database."""
    found = database.execute(_SIGNED, {"stream": stream_of(service)}).fetchone()
    head, signed, waited = found or (0, 0, 0.0)
    return Finding(
        f"signatures of {service}",
        ok=waited < LONG_UNSIGNED_SECONDS,
        detail=f"{signed:,} of {head:,} events are signed",
        remedy=f"till logs {service}; with no TILL_AUDIT_KEY it signs nothing, and till down && till up -d gives it one",
    )


def _row(database: psycopg.Connection, query: str) -> tuple[float, ...]:
    return database.execute(query.encode()).fetchone() or (0, 0, 0)
