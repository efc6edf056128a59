"""`/docs/asyncapi`: the service's topics and events for people, and the AsyncAPI document for programs. No script, no outside address."""

from collections.abc import Callable
from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse, Response

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; background: #fff }}
code {{ font-size: .92em }} h2 {{ margin-top: 2.5rem }} details {{ border-top: 1px solid #ddd; padding: .5rem 0 }}
summary {{ cursor: pointer; font-weight: 600 }} table {{ border-collapse: collapse; margin: .5rem 0 }}
td, th {{ text-align: left; vertical-align: top; padding: .15rem 1.2rem .15rem 0 }} .quiet {{ color: #666 }}
@media (prefers-color-scheme: dark) {{
body {{ color: #eee; background: #161616 }} details {{ border-color: #444 }} .quiet {{ color: #aaa }} }}
</style>
<h1>{title}</h1><p>{description}</p><p><a href="asyncapi.json">AsyncAPI document</a></p>
{channels}</html>"""


def router(service: str, document: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the routes of the event documentation; `document` is asked each time."""
    docs = APIRouter(include_in_schema=False)

    @docs.get("/docs/asyncapi.json")
    async def asyncapi_json() -> Response:
        return JSONResponse(document())

    @docs.get("/docs/asyncapi")
    async def asyncapi() -> Response:
        return HTMLResponse(page(service, document()))

    return docs


def page(service: str, document: dict[str, Any]) -> str:
    """Render the document: every channel with its messages, every message with its fields."""
    info = document.get("info", {})
    channels = "".join(_channel(name, channel, document) for name, channel in document.get("channels", {}).items())
    return _PAGE.format(
        title=escape(str(info.get("title", f"Tillstream {service}: events"))),
        description=escape(str(info.get("description", ""))),
        channels=channels or "<p>This service has no topics.</p>",
    )


def _channel(name: str, channel: dict[str, Any], document: dict[str, Any]) -> str:
    messages = (_message(_resolved(message, document), document) for message in channel.get("messages", {}).values())
    address = escape(str(channel.get("address", name)))
    return f"<h2><code>{address}</code></h2><p>{escape(str(channel.get('description', '')))}</p>{''.join(messages)}"


def _message(message: dict[str, Any], document: dict[str, Any]) -> str:
    payload = _resolved(message.get("payload", {}), document)
    payload = _resolved(payload.get("schema", payload), document)
    needed = set(payload.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'' if name in needed else ' <span class=quiet>optional</span>'}"
        f"<td>{escape(_kind(field))}<td>{escape(str(field.get('description', '')))}"
        for name, field in payload.get("properties", {}).items()
    )
    summary = escape(str(message.get("name", message.get("title", ""))))
    about = escape(str(message.get("summary", message.get("description", payload.get("description", "")))))
    return f"<details><summary>{summary}</summary><p>{about}</p><table>{rows}</table></details>"


def _resolved(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if choices := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(_kind(choice) for choice in choices)
    kind = field.get("format") or field.get("type") or "any"
    if kind == "array":
        return f"list of {_kind(field.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
