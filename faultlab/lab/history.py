"""What was asked of the chain and what it said, kept outside of all that can fail: a line of JSON for each, written before going on."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

UNDER_WAY = "invoked"
OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


@dataclass(slots=True)
class Command:
    """A command under its idempotency key. `subjects` are what the log will know it by, each with the amount or points it is about.

    `asked` counts attempts: one that was refused after another had got no answer may yet have been done by the first.
    """

    key: str
    kind: str
    subjects: Mapping[str, int]
    trace: str = ""
    asked: int = 0
    outcome: str = UNDER_WAY
    answers: set[str] = field(default_factory=set)
    """Hashes of the bodies it was answered with when it was done."""
    refused_others: list[int] = field(default_factory=list)
    """What another request under the same key was answered."""

    @property
    def least(self) -> int:
        """How often each subject must at least be in the log."""
        return 1 if self.outcome == OK else 0

    @property
    def most(self) -> int:
        """How often it may be there at most."""
        return 0 if self.outcome == FAIL and self.asked <= 1 else 1


class History:
    """Writes the history of one run; `read` folds it back into commands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged = 0
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def invoked(self, command: Command) -> None:
        """Note before each attempt that it is made."""
        told = {} if command.asked else {"kind": command.kind, "subjects": command.subjects, "trace": command.trace}
        command.asked += 1
        self._write(command.key, "invoked", **told)

    def ended(self, command: Command, outcome: str, status: int | None = None, body: bytes = b"") -> None:
        """Note what came of it: `ok`, `fail` or `unknown`."""
        command.outcome = outcome
        if outcome == OK:
            self.acknowledged += len(command.subjects)
            self._write(command.key, OK, status=status, body=digest(body))
        else:
            self._write(command.key, outcome, status=status)

    def repeated(self, command: Command, body: bytes) -> None:
        """Note what was answered to a command that was sent once more after it was done."""
        self._write(command.key, "repeated", body=digest(body))

    def misused(self, command: Command, status: int) -> None:
        """Note what was answered to another request under the key of a command that was done."""
        self._write(command.key, "misused", status=status)

    def noted(self, what: str, **more: Any) -> None:
        """Note something that is no command: a fault, the end of one."""
        self._write("", what, **more)

    def _write(self, key: str, what: str, **more: Any) -> None:
        line = {"at": round(time.time(), 4), "key": key, "what": what, **more}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()


def read(lines: Iterable[str]) -> dict[str, Command]:
    """Return the commands of a history by their key. One that has no end was under way, so that nobody knows."""
    commands: dict[str, Command] = {}
    for line in map(json.loads, lines):
        if line["key"]:
            _fold(commands, line)
    return commands


def _fold(commands: dict[str, Command], line: dict[str, Any]) -> None:
    what, command = line["what"], commands.get(line["key"])
    if command is None:
        command = commands[line["key"]] = Command(line["key"], line["kind"], line["subjects"], line["trace"])
    match what:
        case "invoked":
            command.asked += 1
        case "ok":
            command.outcome = OK
            command.answers.add(line["body"])
        case "repeated":
            command.answers.add(line["body"])
        case "misused":
            command.refused_others.append(line["status"])
        case _:
            command.outcome = what


def digest(body: bytes) -> str:
    """Return what tells one answer from another."""
    return hashlib.sha256(body).hexdigest()[:16]
