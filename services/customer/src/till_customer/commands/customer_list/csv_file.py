"""Customer lists as text: rows of cells between commas, semicolons, tabs or bars, quoted or not."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from till_customer.commands.customer_list import encoding as encodings
from till_customer.commands.customer_list.sheet import Row, Sheet, UnreadableRow, fitted, headings
from till_platform.domain import Invalid

LONGEST_LINE = 65_536
MOST_LINES = 20
"""Lines one quoted cell may run over. A quote that is never closed must not swallow the rest of the list."""

_DELIMITERS = ",;\t|"
_SEP_HINT = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


class _TooLong:
    """Stands for a line nobody wrote by hand; its text was not kept."""


class _NeverClosed(Exception):
    """A quote was opened and not closed within `MOST_LINES`, or the list ended."""


def open_csv(file: BinaryIO, *, encoding: str | None, delimiter: str | None) -> Sheet:
    """Open a list written as text; what is not told of encoding and delimiter is detected. Raises `Invalid` if there are no headings."""
    encoding = encodings.checked(encoding) if encoding else encodings.detected(file)
    file.seek(0)
    lines = _Lines(io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=""))
    start = lines.ahead(20)
    if start and isinstance(start[0], str) and (hint := _SEP_HINT.fullmatch(start[0])):
        next(lines)
        delimiter, start = delimiter or hint[1], start[1:]
    delimiter = delimiter or _delimiter_of([line for line in start if isinstance(line, str)])
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise Invalid("a delimiter is one character", field="delimiter")
    records = _records(lines, delimiter)
    first = next(records, [])
    if isinstance(first, UnreadableRow) or not any(cell.strip() for cell in first):
        raise Invalid("the list has no headings in its first row", field="file")
    columns = headings(first)
    return Sheet(
        format="csv", columns=columns, rows=_rows(records, len(columns)), encoding=encoding, delimiter=delimiter
    )


def _rows(records: Iterator[list[str] | UnreadableRow], columns: int) -> Iterator[Row]:
    for number, record in enumerate(records, start=2):
        if isinstance(record, UnreadableRow):
            yield number, record
        elif row := fitted(number, [cell.strip() for cell in record], columns):
            yield row


def _delimiter_of(lines: list[str]) -> str:
    """Return the delimiter that cuts most of the first lines into equally many cells, and into the most of them."""

    def fitness(delimiter: str) -> tuple[int, int]:
        widths = [len(record) for record in csv.reader(lines, delimiter=delimiter)]
        width = widths[0] if widths else 0
        return (sum(other == width for other in widths), width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=fitness)


class _Lines:
    """The lines of a file, none of them longer than `LONGEST_LINE`; lines can be looked at ahead and given back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text  # kept: a wrapper that is dropped closes the file beneath it
        self._given_back: deque[str | _TooLong] = deque()

    def __iter__(self) -> Iterator[str | _TooLong]:
        return self

    def __next__(self) -> str | _TooLong:
        if self._given_back:
            return self._given_back.popleft()
        if not (line := self._text.readline(LONGEST_LINE)):
            raise StopIteration
        if len(line) < LONGEST_LINE or line.endswith(("\n", "\r")):
            return line
        while (rest := self._text.readline(LONGEST_LINE)) and not rest.endswith(("\n", "\r")):
            pass
        return _TooLong()

    def ahead(self, count: int) -> list[str | _TooLong]:
        lines = list(islice(self, count))
        self.give_back(lines)
        return lines

    def give_back(self, lines: list[str | _TooLong]) -> None:
        self._given_back.extendleft(reversed(lines))


def _records(lines: _Lines, delimiter: str) -> Iterator[list[str] | UnreadableRow]:
    """Cut lines into records. The csv module decides what belongs together; what it is fed decides how far that may go."""
    taken: list[str | _TooLong] = []

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            if isinstance(line, _TooLong) or len(taken) > MOST_LINES:
                raise _NeverClosed
            yield line
        if taken:
            raise _NeverClosed

    while True:
        taken.clear()
        try:
            yield next(csv.reader(feed(), delimiter=delimiter))
        except StopIteration:
            return
        except (_NeverClosed, csv.Error):
            lines.give_back(taken[1:])
            long = isinstance(taken[0], _TooLong)
            yield UnreadableRow(
                f"longer than {LONGEST_LINE} characters" if long else "a quote is opened and never closed"
            )
