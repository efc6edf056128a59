"""Lists of any length, one document per line, in constant memory."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import pytest
import uvicorn
from psycopg.errors import DiskFull
from starlette.requests import Request
from starlette.responses import Response

from till_platform.domain import DomainError
from till_platform.http import UnreadableLine, ndjson_in, ndjson_out, streamed
from till_platform.http.ndjson import LONGEST_LINE


def read(*pieces: bytes, chunk: int = 500, decoder: Any = json.loads) -> list[list[tuple[int, Any]]]:
    """Read a request that comes in these pieces."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    coming = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(coming)

    async def lines() -> Any:
        return [part async for part in ndjson_in(Request({"type": "http", "headers": []}, receive), decoder, chunk)]

    return asyncio.run(lines())


def test_lines_are_numbered_and_come_in_chunks() -> None:
    assert read(b'1\n2\n3\n4\n"five"', chunk=2) == [[(1, 1), (2, 2)], [(3, 3), (4, 4)], [(5, "five")]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_it_does_not_matter_how_a_request_is_cut(size) -> None:
    text = '{"n": 1}\r\n\n  \n{"n": "żółw"}\n{"n": 3}'.encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert read(*pieces) == [[(1, {"n": 1}), (4, {"n": "żółw"}), (5, {"n": 3})]]


def test_an_unreadable_line_spoils_no_other() -> None:
    (lines,) = read(b"1\n{\n\xff\n" + b"[" * 100_000 + b'\n"a\\u0000b"\n6\n')
    assert [type(item) for _, item in lines] == [int, *[UnreadableLine] * 4, int]
    assert [number for number, _ in lines] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("size", [1000, 65536, 10 * LONGEST_LINE])
def test_a_line_that_is_too_long_is_dropped_as_it_comes(size) -> None:
    text = b'1\n"' + b"x" * 3 * LONGEST_LINE + b'"\n3\n'
    (lines,) = read(*(text[start : start + size] for start in range(0, len(text), size)))
    assert [number for number, _ in lines] == [1, 2, 3]
    assert isinstance(lines[1][1], DomainError)
    assert (lines[0][1], lines[2][1]) == (1, 3)


def test_an_endless_last_line_is_told_once() -> None:
    (lines,) = read(*[b"x" * LONGEST_LINE] * 5)
    assert [(number, type(item)) for number, item in lines] == [(1, UnreadableLine)]


def test_every_line_gets_an_answer(house) -> None:
    body = b"".join(b"%d\n" % number for number in range(10)) + b"{\n"
    answer = house.client.post("/v1/shelves:batch", content=body, headers=house.headers())
    assert answer.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in answer.text.splitlines()]
    assert [entry["line"] for entry in answers] == list(range(1, 12))
    assert [entry["status"] for entry in answers] == ["counted"] * 10 + ["unreadable-line"]


def test_no_lines_get_no_answers(house) -> None:
    answer = house.client.post("/v1/shelves:batch", content=b"", headers=house.headers())
    assert (answer.status_code, answer.content) == (200, b"")


@contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve the app on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def test_who_sends_everything_before_reading_anything_is_served_too(house) -> None:
    """The answers are far more than the sockets hold: had they to be read first, both sides would wait for ever."""
    lines, text = 30_000, "x" * 1000

    @house.app.post("/v1/echo")
    @streamed
    async def echo(request: Request) -> Response:
        async def answers() -> Any:
            async for chunk in ndjson_in(request, json.loads):
                yield [{"line": number, "text": text} for number, _ in chunk]

        return ndjson_out(answers())

    with served(house.app) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=50)
        body = (b"1\n" * 1000 for _ in range(lines // 1000))
        connection.request("POST", "/v1/echo", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        count = sum(1 for _ in answer)
        connection.close()
    assert (answer.status, count) == (200, lines)


def test_answers_come_while_the_request_is_still_being_sent(house) -> None:
    with served(house.app) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.putrequest("POST", "/v1/shelves:batch")
        for name, value in {**house.headers(), "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"6\r\n1\n2\n3\n\r\n")
        answer = connection.response_class(connection.sock, method="POST")
        answer.begin()
        first = [json.loads(answer.readline())["line"] for _ in range(3)]
        connection.send(b"2\r\n4\n\r\n0\r\n\r\n")
        rest = [json.loads(line)["line"] for line in answer]
        connection.close()
    assert (first, rest) == ([1, 2, 3], [4])


def test_a_caller_that_hangs_up_leaves_the_service_well(house) -> None:
    with served(house.app) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.putrequest("POST", "/v1/shelves:batch")
        for name, value in {**house.headers(), "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"6\r\n1\n2\n3\n\r\n")
        connection.close()
        other = HTTPConnection("127.0.0.1", port, timeout=20)
        other.request("GET", "/livez")
        assert other.getresponse().status == 200
        other.close()


def test_a_bug_in_the_middle_is_told_in_the_last_line_and_the_answer_is_cut_off(house) -> None:
    @house.app.post("/v1/stumble")
    async def stumble() -> Response:
        async def answers() -> Any:
            yield [{"line": 1}]
            raise ValueError("Anna Nowak")

        return ndjson_out(answers())

    with served(house.app) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/v1/stumble")
        answer = connection.getresponse()
        lines = [json.loads(answer.readline()), json.loads(answer.readline())]
        with pytest.raises(IncompleteRead):
            answer.read()
        connection.close()
    assert lines[0] == {"line": 1}
    assert lines[1]["problem"]["type"].endswith("/internal")
    assert "Nowak" not in str(lines)


def test_who_is_still_sending_when_the_database_goes_away_is_told(house) -> None:
    """Far more than the sockets hold is still to come: were it not read, the caller would never come to reading."""

    @house.app.post("/v1/interrupted")
    @streamed
    async def interrupted(request: Request) -> Response:
        async def answers() -> Any:
            async for chunk in ndjson_in(request, json.loads):
                yield [{"line": number} for number, _ in chunk]
                raise DiskFull("could not extend file")

        return ndjson_out(answers())

    with served(house.app) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=50)
        body = (b"1" * 100_000 + b"\n" for _ in range(1000))
        connection.request(
            "POST", "/v1/interrupted", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        answer = connection.getresponse()
        lines = [json.loads(answer.readline()) for _ in range(501)]
        with pytest.raises(IncompleteRead):
            answer.read()
        connection.close()
    assert [told["line"] for told in lines[:500]] == list(range(1, 501))
    assert lines[500]["problem"]["status"] == 503
