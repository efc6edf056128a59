"""The answer lines of long lists: one per line that was sent, whatever became of it."""

from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.responses import Response

from till_platform.domain import DomainError
from till_platform.http.ndjson import MEDIA_TYPE
from till_platform.http.problems import TYPES


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the line of this number. `problem` says why, where it was not taken."""

    line: int
    status: str
    problem: dict[str, Any] | None = None


def problem_of(refusal: DomainError) -> dict[str, Any]:
    """Return a refusal as the problem that a request of its own would be answered with."""
    return {
        **refusal.facts,
        "type": TYPES + refusal.code,
        "title": refusal.code.replace("-", " ").capitalize(),
        "detail": refusal.detail,
    }


def rejected(refusal: DomainError) -> dict[str, Any]:
    """Return status and problem of a line that was not taken."""
    return {"status": "rejected", "problem": problem_of(refusal)}


def ndjson_of(body: type[BaseModel], answer: type[Answer]) -> dict[str, Any]:
    """Document a route that reads one `body` per line and answers each with an `answer`."""
    lines = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
    answers = {MEDIA_TYPE: {"schema": msgspec.json.schema(answer)["$defs"][answer.__name__]}}
    return {
        "response_class": Response,
        "responses": {200: {"description": "One answer per line, in the order of the lines.", "content": answers}},
        "openapi_extra": {"requestBody": {"required": True, "content": lines}},
    }
