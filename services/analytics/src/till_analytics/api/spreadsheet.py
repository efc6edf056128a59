"""Reports as CSV, for who works in a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Header
from pydantic import BaseModel
from starlette.responses import Response

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def _wants_csv(
    accept: Annotated[str | None, Header(description="`text/csv` gives a spreadsheet.")] = None,
) -> bool:
    return accept is not None and accept.split(",")[0].split(";")[0].strip().lower() == "text/csv"


WantsCsv = Annotated[bool, Depends(_wants_csv)]
CSV_TOO: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""Documents that a route answers with CSV when asked to."""


def as_csv(row: type[BaseModel], rows: Sequence[BaseModel]) -> Response:
    """Return rows as CSV with a header line (RFC 4180). Texts that a spreadsheet would run as a formula are quoted with an apostrophe."""
    names = list(row.model_fields)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    writer.writerows([_cell(getattr(one, name)) for name in names] for one in rows)
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8; header=present")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return value
