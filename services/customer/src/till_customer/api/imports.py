"""Bringing customer lists in."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, Json

from till_customer.api.access import CustomerSettingsDep, Importer, Reader, SurroundingsDep
from till_customer.api.uploads import Upload, received, said
from till_customer.commands.customer_list import Sheet, UnreadableRow, open_list
from till_customer.commands.import_customers import ImportCustomers, LastLine, RowAnswer, import_customers
from till_customer.domain import list_columns, places
from till_customer.domain.customer_import import CustomerImport
from till_customer.domain.list_row import Reading
from till_customer.projections.customers import KnownByReadModels
from till_customer.projections.stores import places_of_all
from till_platform.domain import NotFound
from till_platform.http import ClockDep, LogDep, ReadsDep, ndjson_out, problems, streamed

router = APIRouter(prefix="/v1/imports", tags=["imports"])

Choice = Annotated[str | None, Field(max_length=40)]


class Appearance(BaseModel):
    """How a list is written, where detection should not decide."""

    model_config = ConfigDict(extra="forbid")

    encoding: Choice = None
    delimiter: Annotated[str | None, Field(max_length=1)] = None


class Instructions(Appearance):
    """What is to be done with a list, beside it in the form. `mapping` is JSON, `{"Phone": "phone"}`; left out, headings decide."""

    mapping: Json[dict[str, str]] | None = None
    mode: Literal["update", "skip"] = "skip"
    dry_run: bool = False
    country: Annotated[str | None, Field(pattern="^[A-Za-z]{2}$")] = None
    zone: Annotated[str | None, Field(max_length=64)] = None
    dates: Literal["dmy", "mdy"] = "dmy"
    wording: Annotated[str, Field(min_length=1, max_length=200)] = "import"


class Preview(BaseModel):
    """How a list is understood, with its first rows, and the fields there are to map columns to."""

    format: str
    encoding: str | None
    delimiter: str | None
    columns: list[str]
    suggested_mapping: dict[str, str]
    fields: list[str]
    first_rows: list[list[str | None]]


class ImportReply(BaseModel):
    """An import, and the counts of the last time it was read to its end with something new in it."""

    import_id: str
    file_name: str
    mode: str
    mapping: dict[str, str]
    started_at: datetime
    completed_at: datetime | None
    created: int | None
    updated: int | None
    skipped: int | None
    rejected: int | None


def _form(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a form with a file, which FastAPI cannot: it would read it before anybody is asked for a token."""
    schema = model.model_json_schema()
    fields = {**schema["properties"], "file": {"type": "string", "format": "binary"}}
    body = {"type": "object", "required": ["file"], "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}}}


@router.post(
    "",
    response_class=Response,
    openapi_extra=_form(Instructions),
    responses={200: {"description": "one JSON line per row, then a summary", "content": {"application/x-ndjson": {}}}},
)
@streamed
async def import_list(
    request: Request,
    who: Importer,
    around: SurroundingsDep,
    settings: CustomerSettingsDep,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
) -> Response:
    """Bring a customer list (CSV or XLSX) in, answered line by line. The same list sent again goes on where it was cut off.

    Each line is `{"row", "status": "created"|"updated"|"skipped"|"rejected", "customer_id", "problem", "possible_duplicates"}`, the last
    one `{"summary": …}`; without a last line the list was not read to its end. A known customer is left alone (`mode=skip`) or brought up
    to the list (`mode=update`, where empty cells say nothing). `dry_run=true` answers the same and records nothing. No idempotency key is
    needed: the same file read the same way is the same import.
    """
    upload = await received(request, settings.upload_bytes)
    try:
        told = said(upload, Instructions)
        country, zone = await around.country_and_zone()
        sheet = await _opened(upload, told)
        mapping = told.mapping if told.mapping is not None else list_columns.suggested(sheet.columns)
        list_columns.check_mapping(sheet.columns, mapping)
        command = ImportCustomers(
            file_name=upload.file_name,
            file_sha256=upload.sha256,
            sheet=sheet,
            mapping=mapping,
            mode=told.mode,
            reading=Reading(
                country=places.country(told.country) if told.country else country,
                zone=places.zone(told.zone or zone),
                locale=settings.default_locale,
                stores=await places_of_all(reads),
                dates=told.dates,
                wording=told.wording,
            ),
            dry_run=told.dry_run,
            reaches=who.reaches,
        )
    except BaseException:
        await upload.form.close()
        raise

    async def answers() -> AsyncIterator[list[RowAnswer | LastLine]]:
        try:
            async for lines in import_customers(command, log, KnownByReadModels(reads), clock):
                yield lines
        finally:
            await upload.form.close()

    response = ndjson_out(answers())
    response.headers["Import-Id"] = command.import_id
    return response


@router.post(":preview", openapi_extra=_form(Appearance))
@streamed
async def preview(request: Request, _: Importer, settings: CustomerSettingsDep) -> Preview:
    """Show how a list would be understood: encoding, delimiter, columns, what each seems to hold, and the first rows."""
    upload = await received(request, settings.upload_bytes)
    try:
        sheet = await _opened(upload, said(upload, Appearance))
        rows = await asyncio.to_thread(lambda: list(islice(sheet.rows, 5)))
    finally:
        await upload.form.close()
    return Preview(
        format=sheet.format,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        columns=list(sheet.columns),
        suggested_mapping=list_columns.suggested(sheet.columns),
        fields=sorted(list_columns.FIELDS),
        first_rows=[
            [None if cell is None else str(cell) for cell in cells]
            for _, cells in rows
            if not isinstance(cells, UnreadableRow)
        ],
    )


@router.get("/{import_id}", responses=problems(NotFound))
async def show(import_id: str, _: Reader, log: LogDep) -> ImportReply:
    """Show an import and what came of it."""
    done = await log.load(CustomerImport, import_id)
    assert done.started is not None
    counts = done.counts
    return ImportReply(
        import_id=import_id,
        file_name=done.started.file_name,
        mode=done.started.mode,
        mapping=done.started.mapping,
        started_at=done.started.occurred_at,
        completed_at=done.completed_at,
        created=counts.created if counts else None,
        updated=counts.updated if counts else None,
        skipped=counts.skipped if counts else None,
        rejected=counts.rejected if counts else None,
    )


async def _opened(upload: Upload, told: Appearance) -> Sheet:
    return await asyncio.to_thread(lambda: open_list(upload.file, encoding=told.encoding, delimiter=told.delimiter))
