import io
from datetime import date, datetime

import pytest

from till_customer.commands.customer_list import UnreadableRow, open_list
from till_platform.domain import Invalid

from .spreadsheets import DATE, DATE_TIME, error, formula, number, text, xlsx


def test_a_spreadsheet_gives_dates_as_dates_and_phones_as_numbers() -> None:
    file = xlsx(
        [text("Name"), text("Phone"), text("Born"), text("Registered")],
        [text("Łukasz"), number("48501234567"), number("33000", DATE), number("45000.5", DATE_TIME)],
    )
    sheet = open_list(file)
    assert (sheet.format, sheet.columns) == ("xlsx", ("Name", "Phone", "Born", "Registered"))
    noon = datetime(2023, 3, 15, 12)  # noqa: DTZ001 - spreadsheets know no zones
    assert list(sheet.rows) == [(2, ["Łukasz", 48501234567.0, date(1990, 5, 7), noon])]


def test_a_formula_counts_by_what_it_last_came_to_and_an_error_by_nothing() -> None:
    file = xlsx(
        [text("Name"), text("Card"), text("City")],
        [formula("A1", "Anna"), error("#REF!"), formula("B2", None)],
    )
    ((_, cells),) = open_list(file).rows
    assert not isinstance(cells, UnreadableRow)
    assert cells[0] == "Anna"
    assert [cell or None for cell in cells[1:]] in ([None, None], ["#REF!", None])


def test_empty_rows_are_passed_over_and_the_others_keep_their_numbers() -> None:
    file = xlsx([text("Name")], [None], [text("   ")], [text("Anna")])
    assert list(open_list(file).rows) == [(4, ["Anna"])]


def test_rows_wider_than_the_headings_are_shown_and_not_cut() -> None:
    file = xlsx([text("Name")], [text("Anna"), text("stray")], [text("Jan")])
    (two, problem), three = open_list(file).rows
    assert (two, problem) == (2, UnreadableRow("more cells than headings"))
    assert three == (3, ["Jan"])


@pytest.mark.parametrize("corner", ["XFD2", "A1048576", "ZZ1048576"])
def test_a_stray_cell_in_a_far_corner_does_not_fill_the_memory(corner: str) -> None:
    row = "".join(filter(str.isdigit, corner))
    file = xlsx([text("Name")], extra=f'<row r="{row}"><c r="{corner}"{text("x")}</c></row>')
    with pytest.raises(Invalid, match="stray cells"):
        open_list(file)


def test_a_small_file_that_unfolds_into_gigabytes_is_refused() -> None:
    file = xlsx([text("Name")], [text("Anna")], parts={"xl/media/bomb.bin": b"\x00" * 65_000_000})
    assert len(file.getvalue()) < 200_000
    with pytest.raises(Invalid, match="too large"):
        open_list(file)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and then nothing of a workbook",
        xlsx([text("Name")]).getvalue()[:-80],
        xlsx([text("Name")]).getvalue().replace(b"xl/workbook.xml", b"xl/workbxxk.xml"),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 512,
    ],
)
def test_a_damaged_or_foreign_workbook_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        open_list(io.BytesIO(content))
    assert refusal.value.facts["field"] == "file"


def test_a_workbook_with_damaged_bytes_is_refused() -> None:
    content = bytearray(xlsx([text("Name")], [text("Anna")]).getvalue())
    place = content.index(b"xl/worksheets/sheet1.xml") + 30
    content[place : place + 8] = b"\xff" * 8
    with pytest.raises(Invalid):
        open_list(io.BytesIO(bytes(content)))
