from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from till_customer.domain.list_cells import Cell
from till_platform.domain import Invalid

MOST_COLUMNS = 500


@dataclass(frozen=True)
class UnreadableRow:
    """A row whose cells cannot be told apart, and why. The rows after it are read all the same."""

    why: str


Row = tuple[int, list[Cell] | UnreadableRow]
"""A row's number as a spreadsheet shows it (the headings are row 1) and its cells. Empty rows are left out, their numbers are not."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A customer list opened: how it turned out to be written, its headings, and its rows, to be read once."""

    format: str
    columns: tuple[str, ...]
    rows: Iterator[Row]
    encoding: str | None = None
    delimiter: str | None = None


def headings(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return distinct names for the columns: an empty heading becomes «Column 3», the second «Phone» becomes «Phone (2)»."""
    if len(cells) > MOST_COLUMNS:
        raise Invalid(f"more than {MOST_COLUMNS} columns", field="file")
    if any(isinstance(cell, str) and "\x00" in cell for cell in cells):
        raise Invalid("a heading holds a NUL character", field="file")
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        wanted = " ".join(str(cell or "").split())[:200] or f"Column {number}"
        name, repeat = wanted, 1
        while name in names:
            repeat += 1
            name = f"{wanted} ({repeat})"
        names.append(name)
    return tuple(names)


def fitted(number: int, cells: list[Cell], columns: int) -> Row | None:
    """Return the row with as many cells as there are headings; nothing if all its cells are empty."""
    filled = len(cells)
    while filled and cells[filled - 1] in (None, ""):
        filled -= 1
    if not filled:
        return None
    if filled > columns:
        return number, UnreadableRow("more cells than headings")
    return number, cells[:filled] + [None] * (columns - filled)
