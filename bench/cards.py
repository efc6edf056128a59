"""The till's question while history is imported: `GET /v1/cards/{number}` at a fixed rate, timed from when each request was due.

`make bench-cards`. To reach: p99 of 5 ms at 200 requests a second. Second by second the questions go to the loyalty service and to a bare
asyncio server that does nothing but ask Valkey and answer: what this machine, as busy as it is, lets anybody reach. Four times: when nobody
has asked before and PostgreSQL must answer; idle; while receipts come in at a rate, as `till import --rate 200` sends them (the year of
457 stores in 13 minutes); and while they come in as fast as they are taken.
"""

import asyncio
import json
import os
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from redis.asyncio import Redis
from stack import fresh_stack, machine

from tillstream.attached import Attached
from tillstream.demo.dataset import Dataset
from tillstream.demo.importing import import_history, import_receipts
from tillstream.importing.pace import Pace
from tillstream.local.issuer import Role
from tillstream.standing import wait_until_caught_up

RATE = int(os.environ.get("RATE", "200"))
CONNECTIONS = 32
IDLE_SECONDS = 20
RECEIPTS_A_SECOND = int(os.environ.get("RECEIPTS", "200"))
WEEKS = int(os.environ.get("WEEKS", "6"))
Address = tuple[str, int]


class Tills:
    """Some connections over which questions go out, each on its time whether or not the one before has been answered."""

    def __init__(self, address: Address, token: str, cards: list[str]) -> None:
        self._address, self._token, self._cards = address, token, cards
        self._due: asyncio.Queue[float] = asyncio.Queue()
        self._asked = 0
        self._tills = [asyncio.create_task(self._ask()) for _ in range(CONNECTIONS)]
        self.answers: list[tuple[float, int]] = []

    def ask(self, due: float) -> None:
        self._due.put_nowait(due)

    async def end(self) -> list[tuple[float, int]]:
        await self._due.join()
        for till in self._tills:
            till.cancel()
        await asyncio.gather(*self._tills, return_exceptions=True)
        return self.answers

    async def _ask(self) -> None:
        """A full HTTP client would take as long as the answer does."""
        reader, writer = await asyncio.open_connection(*self._address)
        while True:
            due = await self._due.get()
            self._asked += 1
            path = f"/v1/cards/{self._cards[self._asked * 7 % len(self._cards)]}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: till\r\nAuthorization: Bearer {self._token}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            self.answers.append((time.perf_counter() - due, int(head[9:12])))
            self._due.task_done()


async def ask_both(ours: Tills, floor: Tills, until: threading.Event) -> dict[str, object]:
    """Ask at RATE a second, in turns of a second; return what each took."""
    await asyncio.to_thread(_ring, asyncio.get_running_loop(), ours, floor, until)
    return {"loyalty": summary(await ours.end()), "bare": summary(await floor.end())}


def _ring(loop: asyncio.AbstractEventLoop, ours: Tills, floor: Tills, until: threading.Event) -> None:
    """Say when each question is due. A thread's sleep is exact; the loop's own timers are late by up to a millisecond."""
    go_first()
    started, number = time.perf_counter(), 0
    while not until.is_set():
        due = started + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        loop.call_soon_threadsafe((ours if int(due - started) % 2 == 0 else floor).ask, due)
        number += 1


def summary(answers: list[tuple[float, int]]) -> dict[str, object]:
    times = sorted(seconds * 1000 for seconds, _ in answers)
    at = {
        f"p{share}": round(times[min(len(times) - 1, int(len(times) * share / 100))], 2)
        for share in (50, 90, 95, 99, 99.9)
    }
    return {
        "requests": len(times),
        "errors": sum(status != 200 for _, status in answers),
        "ms": {**at, "max": round(times[-1], 2)},
        "samples_ms": [round(seconds * 1000, 2) for seconds, _ in answers],
    }


async def bare(valkey: str) -> None:
    """Answer any question with what Valkey says: the least anybody can do."""
    cache = Redis.from_url(valkey)

    async def till(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await cache.mget([head.split(b" ", 2)[1], b"era"])
                body = b"x" * 300
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    server = await asyncio.start_server(till, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def go_first() -> bool:
    """Let the tills have a processor whenever they want one, as machines of their own would; return whether the system allows it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except (AttributeError, OSError):
        return False
    return True


async def run(attached: Attached) -> dict[str, object]:
    await asyncio.to_thread(import_history, attached, Dataset(WEEKS, today=datetime.now(UTC).date()), lambda *_: None)
    await asyncio.to_thread(wait_until_caught_up, attached)
    with psycopg.connect(attached.state.databases["loyalty"], autocommit=True) as connection:
        cards = [number for (number,) in connection.execute("SELECT card_number FROM accounts.cards ORDER BY 1")]
    floor = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "bare",
        attached.state.redis,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert floor.stdout is not None
    port = int(await floor.stdout.readline())
    api = urlsplit(attached.state.apis["loyalty"])
    assert api.hostname
    assert api.port
    token = attached._issuer.sign(Role.CASHIER, ["1"], "bench", 60)  # noqa: SLF001

    async def during(work: asyncio.Future[object]) -> dict[str, object]:
        done = threading.Event()
        work.add_done_callback(lambda _: done.set())
        ours = Tills((str(api.hostname), int(api.port or 0)), token, cards)
        figures = await ask_both(ours, Tills(("127.0.0.1", port), token, cards), done)
        work.result()
        return figures

    alone = go_first()
    try:
        first = await during(asyncio.ensure_future(asyncio.sleep(2 * len(cards) / RATE)))
        idle = await during(asyncio.ensure_future(asyncio.sleep(IDLE_SECONDS)))
        paced = await during(asyncio.ensure_future(importing(attached, 2018, RECEIPTS_A_SECOND)))
        flat_out = await during(asyncio.ensure_future(importing(attached, 2020, 0)))
    finally:
        floor.terminate()
        await floor.wait()
    return {
        "tills_go_first": alone,
        "asked_first": first,
        "idle": idle,
        "importing_at_a_rate": paced,
        "importing_flat_out": flat_out,
    }


async def importing(attached: Attached, year: int, a_second: int) -> None:
    """Import a further part of history in a process of its own: what generates the load must not slow the measurement down."""
    arguments = ("import", str(attached.directory.path), str(year), str(a_second))
    running = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, stdout=sys.stderr, start_new_session=True
    )
    assert await running.wait() == 0, "the import failed"


def main() -> int:
    if sys.argv[1:2] == ["bare"]:
        asyncio.run(bare(sys.argv[2]))
        return 0
    if sys.argv[1:2] == ["import"]:
        attached, year, a_second = Attached(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
        data = Dataset(WEEKS, today=datetime(year, 1, 1, tzinfo=UTC).date())
        import_receipts(attached, data, lambda *_: None, Pace(a_second or None))
        wait_until_caught_up(attached)
        return 0
    about = machine()
    with fresh_stack() as attached:
        result = {"machine": about, "rate": RATE, **asyncio.run(run(attached))}
    folder = Path(__file__).parent / "results"
    (folder / f"cards-{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(json.dumps(result) + "\n")
    for moment in ("asked_first", "idle", "importing_at_a_rate", "importing_flat_out"):
        for who in ("loyalty", "bare"):
            figures = result[moment][who]
            print(
                f"{moment:20} {who:8} {figures['requests']:6} requests {figures['errors']} errors  ms {figures['ms']}"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
