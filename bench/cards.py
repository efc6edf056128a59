"""The till's question while history is imported: `GET /v1/cards/{number}` at a fixed rate, timed from when each request was due.

`make bench-cards`. To reach: p99 of 5 ms at 200 requests a second.
"""

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from stack import fresh_stack, machine

from tillstream.attached import Attached
from tillstream.demo.dataset import Dataset
from tillstream.demo.importing import import_history
from tillstream.local.issuer import Role
from tillstream.standing import wait_until_caught_up

RATE = int(os.environ.get("RATE", "200"))
CONNECTIONS = 32
WEEKS = int(os.environ.get("WEEKS", "8"))


async def ask(attached: Attached, cards: list[str], until: asyncio.Event) -> list[tuple[float, int]]:
    """Ask at RATE a second, each request on its time whether or not the one before has been answered; return seconds and status.

    The client is a few bare connections: a full HTTP client would take as long as the answer does.
    """
    answers: list[tuple[float, int]] = []
    token = attached._issuer.sign(Role.CASHIER, ["1"], "bench", 60)  # noqa: SLF001
    address = urlsplit(attached.state.apis["loyalty"])
    due_next: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def till() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while True:
            due, card = await due_next.get()
            writer.write(
                f"GET /v1/cards/{card} HTTP/1.1\r\nHost: till\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            answers.append((time.perf_counter() - due, int(head[9:12])))
            due_next.task_done()

    tills = [asyncio.create_task(till()) for _ in range(CONNECTIONS)]
    started, number = time.perf_counter(), 0
    while not until.is_set():
        due = started + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due_next.put_nowait((due, cards[number * 7 % len(cards)]))
        number += 1
    await due_next.join()
    for one in tills:
        one.cancel()
    return answers


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
    }


async def run(attached: Attached) -> dict[str, object]:
    first = Dataset(2, today=datetime.now(UTC).date())
    await asyncio.to_thread(import_history, attached, first, lambda *_: None)
    await asyncio.to_thread(wait_until_caught_up, attached)
    with psycopg.connect(attached.state.databases["loyalty"], autocommit=True) as connection:
        cards = [number for (number,) in connection.execute("SELECT card_number FROM accounts.cards ORDER BY 1")]
    done = asyncio.Event()
    idle = asyncio.create_task(ask(attached, cards, done))
    await asyncio.sleep(15)
    done.set()
    idle_answers = await idle

    # a further part of the year, in a process of its own: what the generator of the load does must not slow it down
    done = asyncio.Event()
    busy = asyncio.create_task(ask(attached, cards, done))
    importing = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "import", str(attached.directory.path), stdout=sys.stderr
    )
    await importing.wait()
    done.set()
    return {"idle": summary(idle_answers), "while_importing": summary(await busy)}


def main() -> int:
    if sys.argv[1:2] == ["import"]:
        attached = Attached(Path(sys.argv[2]))
        import_history(attached, Dataset(WEEKS, today=datetime(2020, 1, 1, tzinfo=UTC).date()), lambda *_: None)
        wait_until_caught_up(attached)
        return 0
    about = machine()
    with fresh_stack() as attached:
        result = {"machine": about, "rate": RATE, **asyncio.run(run(attached))}
    print(json.dumps(result, indent=2))
    folder = Path(__file__).parent / "results"
    (folder / f"cards-{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
