"""Who is called: added, changed, halted, sent back to an earlier event, and forgotten."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from till_platform.domain import NotFound
from till_platform.public_log import end_of
from till_platform.webhooks.signing import new_secret

SHOWN = "name, url, types, position, attempts, failing_since, not_before, disabled_at, disabled_why, former_until, created_at, created_by"
ATTEMPTS_SHOWN = 50
_PUT = f"""
INSERT INTO webhook (name, url, types, secret, position, created_by)
VALUES (%(name)s, %(url)s, %(types)s, %(secret)s, %(position)s, %(by)s)
ON CONFLICT (name) DO UPDATE SET url = excluded.url, types = excluded.types
RETURNING {SHOWN}, secret
"""
_ENABLE = "disabled_at = NULL, disabled_why = NULL, attempts = 0, failing_since = NULL, not_before = clock_timestamp()"


class NoSuchWebhook(NotFound):
    """Nobody of that name is called."""

    code = "no-such-webhook"


def put(
    connection: Connection[Any], name: str, *, url: str, types: Sequence[str] | None, after: int | None, by: str
) -> tuple[dict[str, Any], str | None]:
    """Add or change a receiver; return it, and its secret if it is new: that is shown this once."""
    secret = new_secret()
    position = end_of(connection) if after is None else after
    given = {"name": name, "url": url, "types": types, "secret": secret, "position": position, "by": by}
    row = connection.cursor(row_factory=dict_row).execute(_PUT, given).fetchone()
    assert row is not None
    return row, secret if row.pop("secret") == secret else None


def every(connection: Connection[Any]) -> list[dict[str, Any]]:
    """Return all receivers, without their secrets."""
    return connection.cursor(row_factory=dict_row).execute(f"SELECT {SHOWN} FROM webhook ORDER BY name").fetchall()


def one(connection: Connection[Any], name: str) -> dict[str, Any]:
    """Return a receiver with what came of the last calls; raise `NoSuchWebhook`."""
    rows = connection.cursor(row_factory=dict_row)
    found = rows.execute(f"SELECT {SHOWN} FROM webhook WHERE name = %s", [name]).fetchone()
    if found is None:
        raise NoSuchWebhook(f"nobody is called {name}")
    attempts = rows.execute(
        "SELECT position, event_id::text, attempt, at, seconds, status, error FROM webhook_attempt "
        "WHERE webhook = %s ORDER BY id DESC LIMIT %s",
        [name, ATTEMPTS_SHOWN],
    ).fetchall()
    return {**found, "last_attempts": attempts}


def disable(connection: Connection[Any], name: str, why: str) -> None:
    """Call nobody of that name until it is enabled. What is recorded meanwhile waits in the log."""
    _change(connection, name, "disabled_at = clock_timestamp(), disabled_why = %s", [why])


def enable(connection: Connection[Any], name: str) -> None:
    """Go on where it was, at once."""
    _change(connection, name, _ENABLE, [])


def replay(connection: Connection[Any], name: str, after: int) -> None:
    """Send again everything after a log position, and go on from there. The receiver tells repeats by their id."""
    _change(connection, name, f"position = %s, {_ENABLE}", [min(after, end_of(connection))])


def rotate(connection: Connection[Any], name: str) -> str:
    """Give it a new secret and return it; for a day calls are signed with both."""
    secret = new_secret()
    former = "former_secret = secret, former_until = clock_timestamp() + interval '1 day', secret = %s"
    _change(connection, name, former, [secret])
    return secret


def delete(connection: Connection[Any], name: str) -> None:
    """Forget a receiver and what came of its calls."""
    if connection.execute("DELETE FROM webhook WHERE name = %s", [name]).rowcount == 0:
        raise NoSuchWebhook(f"nobody is called {name}")


def _change(connection: Connection[Any], name: str, what: str, values: Sequence[Any]) -> None:
    """Whoever is calling at the moment loses its lease: what it brings back is not written any more."""
    changed = connection.execute(f"UPDATE webhook SET {what}, leased_until = NULL WHERE name = %s", [*values, name])
    if changed.rowcount == 0:
        raise NoSuchWebhook(f"nobody is called {name}")
