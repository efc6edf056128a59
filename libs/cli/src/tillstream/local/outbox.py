import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    caught_at TEXT NOT NULL,
    channel TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT,
    text TEXT NOT NULL,
    idempotency_key TEXT UNIQUE
)"""


@dataclass(frozen=True, slots=True)
class CaughtMessage:
    """A message a customer would have received, had it left this machine."""

    id: int
    caught_at: str
    channel: str
    sender: str
    recipient: str
    subject: str | None
    text: str


class Outbox:
    """The messages caught in local mode, kept across restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def create(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(TABLE)

    def keep(
        self,
        *,
        channel: str,
        sender: str,
        recipient: str,
        subject: str | None,
        text: str,
        idempotency_key: str | None = None,
    ) -> int:
        """The number of the message, the old one when the same idempotency key was seen before."""
        row = (
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            channel,
            sender,
            recipient,
            subject,
            text,
            idempotency_key,
        )
        with self._open() as database:
            database.execute(
                "INSERT INTO messages (caught_at, channel, sender, recipient, subject, text, idempotency_key)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key) DO NOTHING",
                row,
            )
            where = "idempotency_key = ?" if idempotency_key is not None else "id = last_insert_rowid()"
            found = database.execute(
                f"SELECT id FROM messages WHERE {where}",
                [idempotency_key] if idempotency_key is not None else [],
            ).fetchone()
            return int(found[0])

    def after(self, number: int = 0) -> list[CaughtMessage]:
        """All messages caught after the one with this number, oldest first."""
        if not self._file.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                "SELECT id, caught_at, channel, sender, recipient, subject, text FROM messages WHERE id > ? ORDER BY id",
                [number],
            )
            return [CaughtMessage(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            yield database
