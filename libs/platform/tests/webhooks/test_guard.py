"""No call reaches an address that is not public, by whatever name or in whatever clothes it comes."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpcore2
import pytest

from till_platform.domain import Invalid
from till_platform.webhooks.guard import GuardedNetwork, Refused, checked_url, is_public, resolve

INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1",
    "192.0.0.1", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1",
]  # fmt: skip


class Door:
    """Listens on this machine and counts who comes in; can answer with a redirect."""

    def __init__(self) -> None:
        self.came = 0
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    async def let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[tuple[Door, int]]:
    made = Door()
    server = await asyncio.start_server(made.let_in, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def post(url: str, **given) -> int:
    async with (
        httpcore2.AsyncConnectionPool(network_backend=GuardedNetwork(**given)) as pool,
        pool.stream("POST", url, content=b"{}") as answer,
    ):
        return answer.status


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_known_as_such(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_that_is_public_is_known_as_such(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"])
async def test_no_way_of_writing_this_machine_leads_to_it(door, host):
    counted, port = door
    with pytest.raises((Refused, socket.gaierror, httpcore2.ConnectError)):
        await post(f"http://{host}:{port}/")
    assert counted.came == 0


async def test_a_name_with_one_public_and_one_private_address_is_not_called(door):
    counted, port = door

    async def mixed(_: str, __: int) -> list[str]:
        return ["93.184.215.14", "127.0.0.1"]

    with pytest.raises(Refused):
        await post(f"http://receiver.example:{port}/", resolve=mixed)
    assert counted.came == 0


async def test_a_name_that_answers_differently_a_moment_later_is_asked_once_and_called_where_it_was_judged(door):
    counted, port = door
    asked = []
    public = "192.0.2.1"  # judged by a stand-in below; nobody answers there

    async def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return [public] if len(asked) == 1 else ["127.0.0.1"]

    network = GuardedNetwork(resolve=rebinding)
    called = []

    class Recorded:
        async def connect_tcp(self, host: str, *_: object) -> None:
            called.append(host)
            raise httpcore2.ConnectError("nobody there")

    network._inner = Recorded()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("till_platform.webhooks.guard.is_public", lambda address: address == public)
        with pytest.raises(httpcore2.ConnectError):
            await network.connect_tcp("receiver.example", port)
        with pytest.raises(Refused):
            await network.connect_tcp("receiver.example", port)
    assert (asked, called, counted.came) == (["receiver.example"] * 2, [public], 0)


async def test_a_redirect_is_an_answer_and_is_not_followed(door):
    counted, port = door
    counted.answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:%d/inside\r\ncontent-length: 0\r\n\r\n" % port
    assert await post(f"http://127.0.0.1:{port}/", trusted=[f"127.0.0.1:{port}"]) == 302
    assert counted.came == 1


async def test_control_without_the_guard_the_call_arrives(door):
    counted, port = door
    async with (
        httpcore2.AsyncConnectionPool() as pool,
        pool.stream("POST", f"http://2130706433:{port}/", content=b"{}"),
    ):
        assert counted.came == 1
    assert await resolve("2130706433", port) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/", "ftp://receiver.example/", "https://", "//receiver.example", "https://a:b@receiver.example/",
        "https://receiver.example/#part", "https://127.0.0.1/", "https://[::1]/", "https://receiver.example:99999/", "not an address",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused_when_it_is_given(url):
    with pytest.raises(Invalid):
        checked_url(url, ())


def test_a_host_that_is_trusted_may_be_private_and_plain():
    assert checked_url("http://10.0.0.7:8080/in", {"10.0.0.7:8080"})
    with pytest.raises(Invalid):
        checked_url("http://10.0.0.7:8081/in", {"10.0.0.7:8080"})
