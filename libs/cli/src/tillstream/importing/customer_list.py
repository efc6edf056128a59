"""Customer lists: sent whole, answered row by row."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tillstream.attached import no_answer, refusal
from tillstream.exits import CommandFailed, Exit
from tillstream.importing.outcome import Outcome


def send_list(
    client: httpx2.Client, file: Path, instructions: Mapping[str, str], outcome: Outcome, tell: Callable[[int], None]
) -> dict[str, Any]:
    """Send a list, note what became of each row, and return the summary: how it was read, and which import it was.

    Sent again after an interruption, the same list goes on: rows that are in are answered with `skipped`.
    """
    summary: dict[str, Any] | None = None
    try:
        with (
            file.open("rb") as opened,
            client.stream(
                "POST", "/v1/imports", files={"file": (file.name, opened)}, data=dict(instructions), timeout=600
            ) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            for line in answer.iter_lines():
                told = json.loads(line)
                if "row" in told:
                    outcome.add(told["row"], told["status"], told.get("problem"))
                    tell(outcome.rows)
                else:
                    summary = told.get("summary")
    except httpx2.TransportError as error:
        raise no_answer(client, error) from error
    if summary is None:
        raise CommandFailed(
            f"the list was not read to its end, but {outcome.rows} rows were",
            "the same command again goes on where it ended; till logs customer",
            Exit.FAILURE,
        )
    return summary
