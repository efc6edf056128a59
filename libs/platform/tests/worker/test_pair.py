"""What connects the API with its worker and relay."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from till_platform.pair import Line, _listen
from till_platform.settings import SettingsError


def settings(host, port=0):
    return SimpleNamespace(host=host, worker_port=port)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.001)


async def test_every_knock_is_heard_and_the_end_once():
    here, there = socket.socketpair()
    heard = []
    with here, there:
        Line(there).listen(lambda: heard.append("knock"), lambda: heard.append("gone"))
        Line(here).knock()
        await until(lambda: heard)
        here.close()
        await until(lambda: "gone" in heard)
    assert heard == ["knock", "gone"]


async def test_one_that_is_killed_with_knocks_unheard_is_noticed_like_any_other():
    here, there = socket.socketpair()
    heard, complaints = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    with here, there:
        line = Line(here)
        line.listen(lambda: heard.append("knock"), lambda: heard.append("gone"))
        line.knock()
        there.close()
        await until(lambda: heard)
    assert (heard, complaints) == (["gone"], [])


def test_nobody_waits_for_one_that_does_not_listen():
    here, there = socket.socketpair()
    with here, there:
        line = Line(here)
        for _ in range(100_000):
            line.knock()
        there.close()
        line.knock()


def test_a_port_that_is_taken_is_one_line_that_names_its_setting():
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match=r"TILL_WORKER_PORT: .* Address already in use"),
    ):
        _listen(settings("127.0.0.1", other.getsockname()[1]))


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_either_family_may_be_listened_on():
    for host in ("127.0.0.1", "::1"):
        with _listen(settings(host)) as listener:
            assert listener.getsockname()[0] == host
