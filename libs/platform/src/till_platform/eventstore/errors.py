"""Why an append did not happen."""

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout

from till_platform.domain import DomainError

DATABASE_AWAY = (psycopg.OperationalError, IdleInTransactionSessionTimeout)
"""What the database raises when it, or our connection to it, is gone for the moment: nothing was committed; try again."""


class VersionConflict(DomainError):
    """Somebody else changed the same thing in the meantime. Read it again, then decide again."""

    code = "version-conflict"
    kind = "conflict"


class RepeatedCommand(Exception):
    """A command under this idempotency key was accepted before. Carries the answer it got; the new one changed nothing."""

    def __init__(self, key: str, status: int, body: bytes, fingerprint: bytes) -> None:
        super().__init__("this idempotency key was used before")
        self.key = key
        self.status = status
        self.body = body
        self.fingerprint = fingerprint
