import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from uvicorn.protocols.http.h11_impl import H11Protocol

from tillstream.local.outbox import Outbox


class SmsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    sender: str = Field(alias="from")
    text: str


class Faults(BaseModel):
    """How the gateway misbehaves for the next so many messages, for tests.

    `drop_answer` takes the message and closes the connection without a word; `refuse` answers `status` and takes nothing.
    """

    model_config = ConfigDict(extra="forbid")

    mode: Literal["none", "drop_answer", "refuse"] = "none"
    status: int = 500
    times: int = 1_000_000


@dataclass
class _Current:
    faults: Faults

    def take(self) -> str:
        if self.faults.times <= 0:
            return "none"
        self.faults.times -= 1
        return self.faults.mode


class _Hangup(Response):
    """Closes the connection where an answer was due."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 -- the signature of ASGI
        scope["state"]["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Protocol(H11Protocol):
    """Lets the application reach its connection, which ASGI does not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrowed by uvicorn itself
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def sms_gateway(outbox: Outbox, faults: Faults | None = None) -> FastAPI:
    """A gateway as mobile operators offer it: takes a text over HTTP, tells repeats by `Idempotency-Key`. Sends nothing."""
    app = FastAPI(title="SMS catcher", docs_url=None, redoc_url=None)
    current = _Current(faults or Faults())

    @app.post("/messages", status_code=202, response_model=None)
    async def take_message(
        body: SmsBody, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Response | dict[str, str]:
        fault = current.take()
        if fault == "refuse":
            return Response(status_code=current.faults.status)
        number = await asyncio.to_thread(
            outbox.keep,
            channel="sms",
            sender=body.sender,
            recipient=body.to,
            subject=None,
            text=body.text,
            idempotency_key=idempotency_key,
        )
        return _Hangup() if fault == "drop_answer" else {"id": f"sms-{number}", "status": "accepted"}

    @app.put("/faults", status_code=204)
    async def set_faults(faults: Faults) -> None:
        current.faults = faults

    @app.get("/livez")
    async def alive(_request: Request) -> dict[str, str]:
        return {"status": "ok"}

    return app


def sms_server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, http=_Protocol, log_level="warning", access_log=False)
    )
