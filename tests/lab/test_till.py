"""A till asks until it is answered, under one key, and believes no list that was answered by half."""

import asyncio
import json
from random import Random
from types import SimpleNamespace

import pytest
from faultlab.lab.history import FAIL, OK, Command, History, read
from faultlab.lab.proxy import HOST
from faultlab.lab.till import Request, Till


class Api:
    """Answers as it is told, one answer after the other, and keeps the keys it was asked under."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.keys = []

    async def open(self):
        self._serving = []
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        self._serving.append(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        self.keys.append(headers["idempotency-key"])
        answer = self.answers.pop(0)
        if answer is not None:
            status, body = answer
            told = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
            writer.write(told.encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def close(self):
        self._server.close()
        await asyncio.gather(*self._serving)


class NeverLooksBack(Random):
    def random(self):
        return 0.5

    def uniform(self, _low, _high):
        return 0.0


@pytest.fixture
async def sent(tmp_path):
    """Send a command to an API that answers so; return its keys and what the history says."""

    async def send(command, body, *answers):
        api = Api(*answers)
        await api.open()
        installation = SimpleNamespace(
            issuer=SimpleNamespace(token=lambda *_: "t"),
            members_of=lambda _: [SimpleNamespace(name="order-1")],
            edges={("order-1", "api"): api},
        )
        with History(tmp_path / "history.jsonl") as history:
            till = Till(installation, history, NeverLooksBack())
            await till.send(Request("order", "/v1/receipts", body, command))
            await till.close()
        await api.close()
        with (tmp_path / "history.jsonl").open() as lines:
            return api.keys, read(lines)[command.key]

    return send


async def test_a_till_asks_again_under_the_same_key_until_it_is_answered(sent):
    command = Command("k1", "receipt", {"R1": 1})
    keys, told = await sent(command, {"total": 1}, None, (503, ""), (201, "{}"))
    assert keys == ["k1", "k1", "k1"]
    assert (told.outcome, told.asked, told.least, told.most) == (OK, 3, 1, 1)


async def test_what_is_refused_is_not_asked_again(sent):
    keys, told = await sent(Command("k1", "receipt", {"R1": 1}), {"total": 1}, (409, "{}"))
    assert (len(keys), told.outcome, told.most) == (1, FAIL, 0)


async def test_a_list_that_was_answered_by_half_is_sent_again(sent):
    def line(status):
        return json.dumps({"status": status})

    half, whole = line("recorded"), f"{line('repeated')}\n{line('recorded')}"
    keys, told = await sent(Command("k1", "receipt", {"R1": 1, "R2": 2}), b"1\n2", (200, half), (200, whole))
    assert (len(keys), told.outcome) == (2, OK)
