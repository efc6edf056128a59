"""Receipts and products: JSON lines of any number, sent some thousand at a time."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2

from tillstream.attached import no_answer, refusal
from tillstream.exits import CommandFailed, Exit
from tillstream.importing.kind import Kind, fields_of
from tillstream.importing.outcome import Outcome
from tillstream.importing.pace import Pace

AT_ONCE = 4_000
TRIES = 6
_PATHS = {Kind.RECEIPTS: "/v1/receipts:batch", Kind.PRODUCTS: "/v1/products:batch"}
_AWAY = {502, 503, 504}


def send_lines(
    client: httpx2.Client,
    kind: Kind,
    file: Path,
    outcome: Outcome,
    tell: Callable[[int], None],
    pace: Pace | None = None,
) -> None:
    """Send a file and note what became of each line; `tell` is told how many lines are behind us.

    A line that is there already is answered with `repeated`, so that a file can be sent again after any interruption; a service that goes
    away for a moment is sent the same lines again.
    """
    pace = pace or Pace()
    for first, lines in _parts(file, pace.at_once(AT_ONCE)):
        pace.wait(len(lines))
        for answer in _answered(client, _PATHS[kind], lines):
            line = int(answer["line"])
            original = lines[line - 1].decode(errors="replace").strip() if "problem" in answer else None
            outcome.add(first + line, answer["status"], answer.get("problem"), original)
        tell(first + len(lines))


def look_through(kind: Kind, file: Path, outcome: Outcome, tell: Callable[[int], None]) -> None:
    """Note which lines of a file cannot be what they should be. What only the service can know is not looked at."""
    for first, lines in _parts(file):
        for number, line in enumerate(lines, first + 1):
            if line.isspace():
                continue
            names = fields_of(line)
            missing = kind.needed - (names or set())
            if names is None:
                problem: dict[str, Any] | None = {"detail": "the line is not a JSON document"}
            else:
                problem = {"detail": f"{', '.join(sorted(missing))} missing"} if missing else None
            outcome.add(number, "unreadable" if problem else "readable", problem, line.decode(errors="replace").strip())
        tell(first + len(lines))


def count_lines(file: Path) -> int:
    """Return how many lines there are, without reading what is in them."""
    with file.open("rb") as opened:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: opened.read(1 << 20), b""))


def _parts(file: Path, at_once: int = AT_ONCE) -> Iterator[tuple[int, list[bytes]]]:
    first = 0
    with file.open("rb") as opened:
        if opened.read(3) != b"\xef\xbb\xbf":
            opened.seek(0)
        while lines := list(islice(opened, at_once)):
            yield first, lines
            first += len(lines)


def _answered(client: httpx2.Client, path: str, lines: list[bytes]) -> list[dict[str, Any]]:
    """Send lines and return their answers, trying again where the service is away."""
    for trial in range(1, TRIES + 1):
        try:
            answer = client.post(
                path, content=b"".join(lines), headers={"Content-Type": "application/x-ndjson"}, timeout=600
            )
        except httpx2.TransportError as error:
            if trial == TRIES:
                raise no_answer(client, error) from error
        else:
            if answer.is_success:
                return _whole(answer, sum(not line.isspace() for line in lines))
            if answer.status_code not in _AWAY or trial == TRIES:
                raise refusal(answer)
        time.sleep(0.5 * 2**trial)
    raise AssertionError("the last trial returns or raises")


def _whole(answer: httpx2.Response, expected: int) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in answer.text.splitlines() if line]
    answers = [told for told in found if "line" in told]
    if len(answers) != expected:
        detail = next((told["problem"]["detail"] for told in found if "line" not in told), "the answer broke off")
        raise CommandFailed(f"after {len(answers)} of {expected} lines: {detail}", "till logs order", Exit.FAILURE)
    return answers
