import csv
from decimal import Decimal
from io import StringIO

import pytest
from pydantic import BaseModel

from till_analytics.api.spreadsheet import as_csv


class Row(BaseModel):
    key: str | None
    net_minor: int
    quantity: Decimal | None = None


def cells(*rows: Row) -> list[list[str]]:
    return list(csv.reader(StringIO(bytes(as_csv(Row, rows).body).decode(), newline="")))


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_is_shown_instead(evil) -> None:
    assert cells(Row(key=evil, net_minor=1))[1][0] == f"'{evil}"


def test_what_is_a_number_stays_one_even_below_zero() -> None:
    assert cells(Row(key="milk", net_minor=-250, quantity=Decimal("-0.755")))[1] == ["milk", "-250", "-0.755"]


def test_commas_quotes_and_lines_survive_and_nothing_is_empty() -> None:
    assert cells(Row(key='a,"b"\nc', net_minor=0), Row(key=None, net_minor=0))[1:] == [
        ['a,"b"\nc', "0", ""],
        ["", "0", ""],
    ]


def test_a_report_without_rows_still_names_its_columns() -> None:
    assert cells() == [["key", "net_minor", "quantity"]]
