"""How a till sends a command: until it is answered, to either instance, under one key, and sometimes once more afterwards."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx2

from faultlab.lab.history import FAIL, OK, UNKNOWN, Command, History
from faultlab.lab.installation import Installation
from faultlab.lab.proxy import HOST

PATIENCE = 4.0
"""So many seconds a till waits for an answer before it asks again, perhaps elsewhere."""
GIVES_UP_AFTER = 30
_ASK_AGAIN = frozenset({404, 408, 425, 429})
"""404 too: an account that loyalty has not heard of yet is there a moment later."""


@dataclass(frozen=True, slots=True)
class Request:
    """Where a command goes and what it says."""

    service: str
    path: str
    body: Any
    command: Command


class Till:
    """One till with a seed of its own."""

    def __init__(self, installation: Installation, history: History, random: Random) -> None:
        self.random = random
        self._installation = installation
        self._history = history
        token = installation.issuer.token("admin")
        self._client = httpx2.AsyncClient(timeout=PATIENCE, headers={"Authorization": f"Bearer {token}"})

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def send(self, request: Request) -> Any:
        """Send a command until it is answered; return the answer if it was done, else nothing."""
        command, history = request.command, self._history
        for _ in range(GIVES_UP_AFTER):
            history.invoked(command)
            answer = await self._post(request, request.body)
            if answer is not None and answer.is_success and _is_whole(request, answer):
                history.ended(command, OK, answer.status_code, answer.content)
                await self._look_back(request)
                return answer
            if answer is not None and answer.is_client_error and answer.status_code not in _ASK_AGAIN:
                history.ended(command, FAIL, answer.status_code)
                return None
            await asyncio.sleep(self.random.uniform(0.1, 1.0))
        history.ended(command, UNKNOWN)
        return None

    async def get(self, service: str, path: str, **parameters: str) -> Any:
        """Look something up, until it is there."""
        for _ in range(GIVES_UP_AFTER * 4):
            try:
                answer = await self._client.get(self._address(service) + path, params=parameters)
                if answer.is_success:
                    return answer.json()
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.5)
        raise TimeoutError(f"{service} {path}")

    async def _look_back(self, request: Request) -> None:
        """One time in ten send it again, and then something else under the same key (I10)."""
        if isinstance(request.body, bytes) or self.random.random() > 0.1:
            return
        if (again := await self._post(request, request.body)) is not None and again.is_success:
            self._history.repeated(request.command, again.content)
        other = {**request.body, **_OTHERWISE.get(request.command.kind, {})}
        if other == request.body:
            return
        if (misused := await self._post(request, other)) is not None and misused.status_code < 500:
            self._history.misused(request.command, misused.status_code)

    async def _post(self, request: Request, body: Any) -> httpx2.Response | None:
        headers = {"Idempotency-Key": request.command.key}
        if request.command.trace:
            headers["traceparent"] = f"00-{request.command.trace}-{secrets.token_hex(8)}-01"
        try:
            if isinstance(body, bytes):
                headers["Content-Type"] = "application/x-ndjson"
                return await self._client.post(
                    self._address(request.service) + request.path, content=body, headers=headers
                )
            return await self._client.post(self._address(request.service) + request.path, json=body, headers=headers)
        except httpx2.HTTPError:
            return None

    def _address(self, service: str) -> str:
        member = self.random.choice(self._installation.members_of(service))
        return f"http://{HOST}:{self._installation.edges[member.name, 'api'].port}"


def _is_whole(request: Request, answer: httpx2.Response) -> bool:
    """A list is done when every line of it was answered with what is done."""
    if not isinstance(request.body, bytes):
        return True
    lines = answer.text.splitlines()
    done = [line for line in lines if json.loads(line)["status"] in {"recorded", "repeated"}]
    return len(done) == len(request.command.subjects)


_OTHERWISE: dict[str, dict[str, Any]] = {
    "receipt": {"receipt_number": "another"},
    "redemption": {"points": 7_777},
    "order": {"comment": "another"},
    "points": {"points": 7_777},
}
