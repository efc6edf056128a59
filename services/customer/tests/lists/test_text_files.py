import io
import tracemalloc

import pytest
from hypothesis import given as forall
from hypothesis import strategies as some

from till_customer.commands.customer_list import UnreadableRow, open_list
from till_customer.commands.customer_list.csv_file import LONGEST_LINE
from till_platform.domain import Invalid

RUSSIAN = "ФИО;Телефон;Дата рождения\nИванов Иван;8 (916) 123-45-67;04.05.1990\nЩукина Юлия;89031234567;12.11.1985\n"
POLISH = "Imię i nazwisko;Telefon\nŁukasz Żółć;501 234 567\nMałgorzata Gęś;601234567\n"


def opened(content: bytes | str, **told: str):
    return open_list(io.BytesIO(content.encode() if isinstance(content, str) else content), **told)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "utf-8"),
        (RUSSIAN, "utf-8-sig"),
        (RUSSIAN, "utf-16"),
        (RUSSIAN, "utf-16-le"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (POLISH, "utf-8"),
        ("Name;Tel\nHélène François;+33123456789\n", "cp1252"),
        ("姓名;电话\n李伟;13800138000\n王芳;13900139000\n张敏;13700137000\n", "gb18030"),
    ],
)
def test_encoding_and_delimiter_are_told_from_the_list_itself(content: str, encoding: str) -> None:
    sheet = opened(content.encode(encoding))
    assert (sheet.encoding, sheet.delimiter) == (encoding, ";")
    lines = [line.split(";") for line in content.splitlines()]
    assert [list(sheet.columns), *(cells for _, cells in sheet.rows)] == lines


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_cuts_rows_alike(delimiter: str) -> None:
    content = "\n".join(delimiter.join(row) for row in (["name", "note"], ['"Nowak, A; B"', "x"], ["Jan", "'y'"]))
    sheet = opened(content)
    assert sheet.delimiter == delimiter
    assert [cells[0] for _, cells in sheet.rows] == ["Nowak, A; B", "Jan"]


def test_what_is_told_is_believed() -> None:
    assert opened(POLISH.encode("cp1250"), encoding="cp1252", delimiter="|").columns != ("Imię i nazwisko", "Telefon")
    for wrong in ("rot13", "base64", "nonsense", "\x00"):
        with pytest.raises(Invalid):
            opened(POLISH, encoding=wrong)
    for wrong in ("ab", '"', "\n"):
        with pytest.raises(Invalid):
            opened(POLISH, delimiter=wrong)


def test_excels_own_hint_of_the_delimiter_is_not_a_heading() -> None:
    sheet = opened("sep=;\r\nname;phone\r\nAnna;1\r\n")
    assert (sheet.columns, sheet.delimiter) == (("name", "phone"), ";")


def test_equal_and_missing_headings_get_names_of_their_own() -> None:
    assert opened("Phone,,Phone,\n1,2,3,4\n").columns == ("Phone", "Column 2", "Phone (2)", "Column 4")


def test_empty_rows_are_passed_over_and_the_others_keep_their_numbers() -> None:
    assert list(opened("name;phone\n\n;;\n  ; \nAnna;1\n\n").rows) == [(5, ["Anna", "1"])]


def test_short_rows_are_filled_and_wide_rows_are_shown() -> None:
    rows = dict(opened("name,phone\nAnna\nJan,1,2\nOla,3,,\n").rows)
    assert rows == {2: ["Anna", None], 3: UnreadableRow("more cells than headings"), 4: ["Ola", "3"]}


def test_a_cell_may_run_over_lines_and_hold_quotes() -> None:
    sheet = opened('name,note\n"Nowak ""Ania""\nAnna",x\r\nJan,5" pipe\n')
    assert [cells for _, cells in sheet.rows] == [['Nowak "Ania"\nAnna', "x"], ["Jan", '5" pipe']]


def test_a_quote_that_is_never_closed_costs_one_row_and_not_the_rest() -> None:
    content = "name,phone\n" + 'Anna,"1\n' + "".join(f"Jan,{number}\n" for number in range(100))
    rows = dict(opened(content).rows)
    assert rows.pop(2) == UnreadableRow("a quote is opened and never closed")
    assert rows == {number + 3: ["Jan", str(number)] for number in range(100)}


def test_a_line_of_ten_megabytes_costs_one_row_and_no_memory() -> None:
    content = b"name,phone\nAnna,1\n" + b"x" * 10_000_000 + b"\nJan,2\n"
    file = io.BytesIO(content)
    tracemalloc.start()
    rows = list(open_list(file).rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == [(2, ["Anna", "1"]), (3, UnreadableRow(f"longer than {LONGEST_LINE} characters")), (4, ["Jan", "2"])]
    assert peak < 8_000_000


def test_zeros_in_a_file_are_cells_like_others() -> None:
    assert list(opened(b"name,phone\nAn\x00na,1\nJan,2\n").rows) == [(2, ["An\x00na", "1"]), (3, ["Jan", "2"])]


def test_one_broken_letter_does_not_make_the_others_unreadable() -> None:
    content = RUSSIAN.encode() * 3
    place = content.index("Юлия".encode()) + 1
    sheet = opened(content[:place] + b"?" + content[place + 1 :])
    assert sheet.encoding == "utf-8"
    assert [cells[0] for _, cells in sheet.rows].count("Иванов Иван") == 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b";;;\n", b"\xef\xbb\xbf", b'"', b"x" * 100_000])
def test_a_file_without_headings_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        opened(content)


def test_many_unclosed_quotes_are_not_read_for_ever() -> None:
    rows = list(opened(b"name,phone\n" + (b'Anna,"1\n' + b"Jan,2\n" * 20) * 1_000).rows)
    assert len(rows) == 21_000


@forall(some.binary(max_size=400))
def test_no_bytes_whatever_break_the_reader(content: bytes) -> None:
    try:
        sheet = open_list(io.BytesIO(content))
    except Invalid:
        return
    numbers = [number for number, _ in sheet.rows]
    assert numbers == sorted(set(numbers))


def test_a_heading_that_holds_a_nul_refuses_the_list() -> None:
    with pytest.raises(Invalid) as refused:
        opened("na\x00me;phone\nAnna;1\n", encoding="utf-8", delimiter=";")
    assert refused.value.facts == {"field": "file"}
