"""One edge between two processes, and what may happen to it: every connection goes through a TCP proxy that does as it is told."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

HOST = "127.0.0.1"
_CHUNK = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What an edge does with bytes."""

    PASS = "pass"  # noqa: S105 - no password
    DELAY = "delay"
    RATE = "rate"
    RESET = "reset"
    BLACK_HOLE = "black hole"
    """Connections are accepted and bytes swallowed, without an end; healed, whoever lost bytes is reset, as by a router that forgot."""
    NOTHING_THERE = "nothing gets there"
    """One way: what callers send is held, and arrives when the edge is healed, as by the retries of TCP."""
    NOTHING_BACK = "nothing comes back"
    """One way: what is answered is held."""
    DROP_ANSWER = "drop the answer"
    """The request is acted upon, its answer is swallowed and the connection reset."""


@dataclass(frozen=True, slots=True)
class Weather:
    """A mode and its measures: seconds of delay and jitter, bytes a second, how likely an answer is dropped."""

    mode: Mode = Mode.PASS
    seconds: float = 0.2
    jitter: float = 0.1
    rate: int = 8_000
    chance: float = 1.0

    def holds(self, *, answer: bool) -> bool:
        """Tell whether bytes of this direction have to wait."""
        return self.mode is (Mode.NOTHING_BACK if answer else Mode.NOTHING_THERE)


FAIR = Weather()


class _Link:
    """One connection, of which both ends are ours."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.writers = list(writers)
        self.swallowed = False

    def cut(self) -> None:
        """Reset both ends at once."""
        for writer in self.writers:
            found = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


class _AnswerDropped(Exception):
    pass


class Edge:
    """Listens on a port of its own from `open` on and passes everything on to `upstream`, which may be told later."""

    def __init__(self, name: str, random: Random, upstream: Callable[[], int] | None = None) -> None:
        self.name = name
        self.upstream = upstream
        self.weather = FAIR
        self.port = 0
        self.dropped_answers = 0
        self._random = random
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on a free port, which then is `port`."""
        self._server = await asyncio.start_server(self._take, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def become(self, weather: Weather) -> None:
        """Change what the edge does, for connections that are there and those to come."""
        self.weather = weather
        for link in list(self._links):
            if weather.mode is Mode.RESET or link.swallowed:
                link.cut()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = _Link(writer)
        self._links.add(link)
        try:
            await self._serve(link, reader, writer)
        except (OSError, _AnswerDropped, asyncio.CancelledError):
            link.cut()
        finally:
            self._links.discard(link)
            self._tasks.discard(task)
            for one in link.writers:
                one.close()

    async def _serve(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.mode is Mode.RESET or self.upstream is None:
            raise ConnectionResetError
        there, onward = await asyncio.open_connection(HOST, self.upstream())
        link.writers.append(onward)
        ways = [self._pump(link, reader, onward, answer=False), self._pump(link, there, writer, answer=True)]
        pumps = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._pass_on(link, data, writer, answer=answer)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _pass_on(self, link: _Link, data: bytes, writer: asyncio.StreamWriter, *, answer: bool) -> None:
        while self.weather.holds(answer=answer):
            await self._changed.wait()
        weather = self.weather
        match weather.mode:
            case Mode.BLACK_HOLE:
                link.swallowed = True
                return
            case Mode.DROP_ANSWER if answer and self._random.random() < weather.chance:
                self.dropped_answers += 1
                raise _AnswerDropped
            case Mode.DELAY:
                await asyncio.sleep(max(0.0, weather.seconds + weather.jitter * self._random.uniform(-1, 1)))
            case Mode.RATE:
                await asyncio.sleep(len(data) / weather.rate)
        writer.write(data)
        await writer.drain()
