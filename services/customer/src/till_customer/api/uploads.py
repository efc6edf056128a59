"""Files that people send: counted before they are read, kept on disk, and gone when they are dealt with."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from till_platform.http import Refusal, refuse_nul

T = TypeVar("T", bound=BaseModel)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A file that was sent, with what was said about it."""

    form: FormData
    file: BinaryIO
    file_name: str
    sha256: str


async def received(request: Request, largest: int) -> Upload:
    """Take the file of a multipart form, onto disk if it is large. Raises `Refusal` where there is none or it is too large.

    The length must be said beforehand: a form is only looked at once it is here, and by then it would fill the disk.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refusal(415, "unsupported-media-type", "send a multipart/form-data form with the list as `file`")
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise Refusal(411, "length-needed", "say in Content-Length how long the form is")
    if int(length) > largest:
        raise Refusal(413, "too-large", f"a list may have {largest} bytes", most_bytes=largest)
    form = await request.form(max_files=1, max_fields=20)
    file = form.get("file")
    if not isinstance(file, UploadFile):
        await form.close()
        raise Refusal(422, "invalid", "the form has no file named `file`")
    try:
        refuse_nul([("file", file.filename), *form.multi_items()])
    except Refusal:
        await form.close()
        raise
    return Upload(form, file.file, (file.filename or "list")[:200], await asyncio.to_thread(_sha256, file.file))


def said(upload: Upload, model: type[T]) -> T:
    """Return what the form says beside the file."""
    fields: dict[str, Any] = {name: value for name, value in upload.form.items() if isinstance(value, str)}
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        ) from None


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    hashed = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        hashed.update(chunk)
    file.seek(0)
    return hashed.hexdigest()
