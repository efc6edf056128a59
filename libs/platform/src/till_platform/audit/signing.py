"""Signs the log of a service at intervals, on one worker at a time: after so many events, or so long after the first that is unsigned."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from psycopg import Connection

from till_events.audit import LogSigned, statement
from till_events.codec import decode
from till_events.topics import source_of
from till_platform.audit.heads import Found, LogBroken, next_head, stream_of
from till_platform.audit.keys import PublicKey, SigningKey
from till_platform.domain import Aggregate
from till_platform.jobs import Job
from till_platform.parts import Parts
from till_platform.relay.rows import COLUMNS, envelope_of
from till_platform.settings import Settings

EVERY = timedelta(seconds=10)
HEADS_AT_ONCE = 50
"""So many at most in one run of the job, so that a service that is told to stop does not first sign a log of years."""

_LAST = "SELECT sequence, type, data FROM log WHERE stream = %s ORDER BY sequence DESC LIMIT 1"
_STANDING = """
SELECT position, (SELECT recorded_at FROM log WHERE log.position > %s AND stream <> %s ORDER BY log.position LIMIT 1) FROM log_head
"""
_UNSIGNED = f"SELECT {COLUMNS} FROM log WHERE position > %s ORDER BY position LIMIT %s"
_log = structlog.get_logger(__name__)


class Signatures(Aggregate):
    """The signed heads of one log, the last of which says where the next one goes on."""

    kind = "signatures"

    def apply(self, event: Any) -> None:
        """Keep the last head."""
        self.last: LogSigned = event


class Signing:
    """What a service does to have its log signed. Without a key it does nothing, and says so where readiness is asked for.

    Nothing is kept but the heads themselves: the last one in the log is where the next one goes on. Two who sign at the same time would
    write the same version of one stream, so one of them is refused.
    """

    def __init__(self, settings: Settings) -> None:
        secret = settings.audit_key.get_secret_value() if settings.audit_key else ""
        self._key = SigningKey(secret) if secret else None
        self._next_key = PublicKey.of_pem(settings.audit_next_key) if settings.audit_next_key else None
        self._service = settings.service
        self._events = settings.audit_events
        self._patience = timedelta(seconds=settings.audit_seconds)
        self._signed_to: int | None = None

    @property
    def jobs(self) -> list[Job]:
        """The job of a service that has a key."""
        return [Job("sign-log", EVERY, self.run)] if self._key else []

    async def standing(self) -> Any:
        """A check for readiness: it tells, and is never red. A service that cannot sign still serves."""
        if self._key is None:
            return {"signing": False, "reason": "TILL_AUDIT_KEY is not set"}
        return {"signing": True, "key": self._key.public.id, "signed_to": self._signed_to}

    async def run(self, parts: Parts) -> None:
        """Sign what is due."""
        await self.sign(parts)

    async def sign(self, parts: Parts, *, at_once: bool = False) -> int:
        """Sign what is due, or `at_once` all there is; return the number of heads."""
        for signed in range(HEADS_AT_ONCE):
            head = await parts.reads.run(lambda connection: self._next(connection, parts, at_once=at_once))
            if head is None:
                return signed
            await parts.log.save(head)
            self._signed_to = head.last.position
            _log.info("log_signed", position=head.last.position, key=head.last.key_id)
        return HEADS_AT_ONCE

    def _next(self, connection: Connection[Any], parts: Parts, *, at_once: bool) -> Signatures | None:
        assert self._key is not None
        signatures = Signatures(stream_of(self._service))
        signatures.key = signatures.id
        last = self._last(connection, signatures)
        since, now = last.position if last else 0, parts.clock.now()
        position, oldest = connection.execute(_STANDING, [since, signatures.id]).fetchone() or (0, None)
        announced = self._next_key is None or (last is not None and last.next_key == self._next_key.raw.hex())
        if oldest is None:  # nothing but heads: a head is signed with what comes next
            return None
        waited = at_once or not announced or now - oldest >= self._patience
        if position - since < self._events and not waited:
            return None
        rows = connection.execute(_UNSIGNED, [since, self._events], binary=True).fetchall()
        signatures.record(next_head(self._service, last, self._found(rows), self._key, now, next_key=self._next_key))
        return signatures

    def _last(self, connection: Connection[Any], signatures: Signatures) -> LogSigned | None:
        row = connection.execute(_LAST, [signatures.id]).fetchone()
        if row is None:
            return None
        signatures.version, kind, data = row
        last = decode(kind, data)
        assert isinstance(last, LogSigned)
        self._signed_to = last.position
        public = self._key.public if self._key else None
        if public and last.key_id == public.id and not public.verifies(last.signature, statement(last)):
            raise LogBroken(f"{signatures.id}@{signatures.version} is not what was signed")
        return last

    def _found(self, rows: Sequence[Sequence[Any]]) -> list[Found]:
        source = source_of(self._service)
        return [(envelope_of(row, source), row[6], row[-1]) for row in rows]
