"""Customer lists as spreadsheets (XLSX). Checked before they are opened: a small file can unfold into more than any memory holds."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from till_customer.commands.customer_list.sheet import MOST_COLUMNS, Row, Sheet, fitted, headings
from till_customer.domain.list_cells import Cell
from till_platform.domain import Invalid

MOST_BYTES = 64_000_000
"""Unpacked: some 200,000 customers. A longer list is better sent as CSV, which is read row by row."""

MOST_ROWS = 1_000_000
_CHUNK = 1 << 20
_DAMAGED = (
    CalamineError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    IndexError,
    NotImplementedError,  # packed in a way nobody uses
    RuntimeError,  # encrypted
)
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([^"']{0,32})""")
_PLACE = re.compile(rb"([A-Z]{0,3})([0-9]{1,7})")


def open_xlsx(file: BinaryIO) -> Sheet:
    """Open the first visible sheet of a workbook. Raises `Invalid` if it is damaged, protected, empty or far too large."""
    file.seek(0)
    try:
        _check_size(file)
        file.seek(0)
        workbook = CalamineWorkbook.from_filelike(file)
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
        sheet = workbook.get_sheet_by_name(visible[0])
    except _DAMAGED:
        raise Invalid("this spreadsheet is damaged or protected by a password", field="file") from None
    rows = _cells(sheet)
    first = next(rows, (0, []))[1]
    if not any(str(cell or "").strip() for cell in first):
        raise Invalid("the list has no headings in its first row", field="file")
    while first and first[-1] in (None, ""):
        first.pop()
    columns = headings(first)
    return Sheet(format="xlsx", columns=columns, rows=_fitted(rows, len(columns)))


def _fitted(rows: Iterator[tuple[int, list[Cell]]], columns: int) -> Iterator[Row]:
    for number, cells in rows:
        if row := fitted(number, [cell.strip() if isinstance(cell, str) else cell for cell in cells], columns):
            yield row


def _cells(sheet: CalamineSheet) -> Iterator[tuple[int, list[Cell]]]:
    first = sheet.start[0] + 1 if sheet.start else 1
    for number, cells in enumerate(sheet.iter_rows(), start=first):
        yield number, list(cells)  # type: ignore[arg-type]  # durations, which no list of customers has, print as text


def _check_size(file: BinaryIO) -> None:
    """Refuse what would not fit into memory: by its bytes, truly unpacked, and by the corners of the area its cells span."""
    with zipfile.ZipFile(file) as archive:
        if sum(part.file_size for part in archive.infolist()) > MOST_BYTES:
            raise Invalid("this spreadsheet is too large; send it as CSV", field="file", most_bytes=MOST_BYTES)
        # Reading each part to its end also checks its checksum, so the sizes the archive states are true.
        for part in archive.infolist():
            with archive.open(part) as unpacked:
                tail = b""
                while chunk := unpacked.read(_CHUNK):
                    if part.filename.endswith(".xml"):
                        _check_corners(tail + chunk)
                        tail = chunk[-64:]


def _check_corners(xml: bytes) -> None:
    if b"\x00" in xml:
        raise Invalid("this spreadsheet is written in an unusual way; save it again", field="file")
    for found in _REFERENCE.finditer(xml):
        place = _PLACE.fullmatch(found[1])
        # A reference cut off by the end of the chunk is seen whole in the next one.
        if place and (int(place[2]) > MOST_ROWS or _column(place[1]) > MOST_COLUMNS):
            raise Invalid(
                f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns: delete stray cells far from the list",
                field="file",
            )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
