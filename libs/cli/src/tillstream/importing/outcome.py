import json
from collections import Counter
from pathlib import Path
from typing import IO, Any, Self

BAD = frozenset({"rejected", "conflict", "unreadable"})
REMEMBERED = 1_000


class Outcome:
    """What became of the rows of a file: how many of each status, and which were refused and why.

    Every refused row is written to `rejects`, if given, one JSON document a line; only the first thousand are remembered.
    """

    def __init__(self, rejects: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.refused: list[dict[str, Any]] = []
        self._path = rejects
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def rows(self) -> int:
        return self.counts.total()

    @property
    def bad(self) -> int:
        return sum(self.counts[status] for status in BAD)

    def add(self, row: int, status: str, problem: dict[str, Any] | None = None, original: str | None = None) -> None:
        """Count a row; keep it with its reason if it was refused. `original` is what stood in the file."""
        self.counts[status] += 1
        if status not in BAD:
            return
        told = problem or {}
        refused = {"row": row, "status": status, "reason": told.get("detail") or status}
        if len(self.refused) < REMEMBERED:
            self.refused.append(refused)
        if self._file is not None:
            whole = {**refused, "problem": told, **({} if original is None else {"original": original})}
            self._file.write(json.dumps(whole, ensure_ascii=False) + "\n")
