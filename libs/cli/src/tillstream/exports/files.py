"""Files of exports: JSON lines or Parquet, there whole or not at all."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from tillstream.audit.check import Entry
from tillstream.exits import CommandFailed, Exit
from tillstream.exports.lines import UnreadableLine, from_line, to_line

STDOUT = Path("-")
_PARQUET = b"PAR1"


class Format(StrEnum):
    """How a file is written: lines of CloudEvents, which anybody can check, or a table for those who calculate."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class UnreadableRow(Exception):
    """A row of a file that is none of an export, with its number."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"row {row}: {reason}")
        self.row = row
        self.reason = reason


def write_export(path: Path, kind: Format, entries: Iterable[Entry]) -> None:
    """Write a file that only its owner may read, since it tells who people are; it appears when it is complete. `-` is stdout."""
    if path == STDOUT:
        if kind is Format.PARQUET:
            raise CommandFailed("Parquet is not written to a pipe", "name a file", Exit.USAGE)
        for entry in entries:
            sys.stdout.buffer.write(to_line(entry) + b"\n")
        sys.stdout.buffer.flush()
        return
    growing = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(growing, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        if kind is Format.PARQUET:
            from tillstream.exports.parquet import write_parquet  # polars takes its time to load

            write_parquet(growing, entries)
        else:
            _write_lines(growing, entries)
        growing.chmod(0o600)
        growing.replace(path)
    finally:
        growing.unlink(missing_ok=True)


def read_export(path: Path) -> Iterator[Entry]:
    """Yield the events of a file, in little memory. Raises `UnreadableRow` where a row is none."""
    with path.open("rb") as file:
        parquet = file.read(4) == _PARQUET
    if parquet:
        yield from _read_parquet(path)
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = from_line(line.removesuffix(b"\n"))
            except UnreadableLine as error:
                raise UnreadableRow(number, str(error)) from error
            yield entry


def _write_lines(path: Path, entries: Iterable[Entry]) -> None:
    with path.open("wb") as file:
        for entry in entries:
            file.write(to_line(entry) + b"\n")
        file.flush()
        with suppress(OSError):  # a pipe, or a file system that cannot
            os.fsync(file.fileno())


def _read_parquet(path: Path) -> Iterator[Entry]:
    from tillstream.exports.parquet import read_parquet

    number = 0
    try:
        for entry in read_parquet(path):
            number += 1
            yield entry
    except ValueError as error:
        raise UnreadableRow(number + 1, str(error)) from error
