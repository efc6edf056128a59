"""An export put back into empty logs: all of it, or nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import groupby
from typing import Any

import psycopg

from till_events.chain import START, event_hash, link
from till_platform.audit.keys import PublicKey
from till_platform.eventstore.restore import LogNotEmpty, restore
from tillstream.audit.check import Check, Entry
from tillstream.exits import CommandFailed, Exit
from tillstream.exports.files import UnreadableRow
from tillstream.exports.log_rows import row_of

Connect = Callable[[str], psycopg.Connection[Any]]


def restore_all(entries: Iterable[Entry], connect: Connect, keys: Iterable[PublicKey] | None) -> Mapping[str, int]:
    """Put every log of an export back and return how many events each has; `connect` opens the database of a service.

    Every row is checked: its position, its hash, and in the end the signed heads. Raises CommandFailed with the number of the first row
    that is not as it was, or where a log is not empty; then nothing was written.
    """
    restored: dict[str, int] = {}
    given = None if keys is None else list(keys)
    rows = _Rows(entries)
    try:
        with ExitStack() as committed_together:
            for source, found in groupby(rows, key=lambda entry: entry.envelope.source):
                service = _new(source.rpartition("/")[2], restored, rows)
                connection = committed_together.enter_context(connect(service))
                restored[service] = _restore(connection, found, Check(source, given), rows)
    except UnreadableRow as error:
        raise CommandFailed(f"nothing was imported: {error}", "the file is not what was exported") from error
    except LogNotEmpty as error:
        detail = f"nothing was imported: {error.detail}"
        raise CommandFailed(detail, "an export is put back into an empty log only", Exit.CONFLICT) from error
    except psycopg.DataError as error:
        raise CommandFailed(f"nothing was imported: row {rows.number}: {str(error).splitlines()[0]}") from error
    return restored


class _Rows:
    """The events of a file, counted."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.number = 0
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.number += 1
            yield entry


def _new(service: str, restored: Mapping[str, int], rows: _Rows) -> str:
    if service in restored:
        raise UnreadableRow(rows.number, f"the log of {service} ended before this row")
    return service


def _restore(connection: psycopg.Connection[Any], found: Iterable[Entry], check: Check, rows: _Rows) -> int:
    before = rows.number - 1
    last = restore(connection, _checked(found, check, rows))
    if problem := check.verdict().problem:
        raise UnreadableRow(before + problem.position, str(problem))
    return last


def _checked(found: Iterable[Entry], check: Check, rows: _Rows) -> Iterator[tuple[Any, ...]]:
    chain = START
    for position, entry in enumerate(found, 1):
        if entry.envelope.position != position:
            detail = f"position {entry.envelope.position} stands where position {position} belongs"
            raise UnreadableRow(rows.number, detail)
        chain = link(chain, event_hash(entry.envelope, entry.data, public=entry.public))
        if entry.chain != chain:
            raise UnreadableRow(rows.number, f"position {position} does not give the hash that stands beside it")
        check.take(entry)
        try:
            yield row_of(entry)
        except ValueError as error:
            raise UnreadableRow(rows.number, "its id is not a UUID") from error
