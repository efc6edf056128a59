from collections.abc import Iterable
from pathlib import Path


class LogFollower:
    """The lines that several log files gain, each with the name of the process that wrote it."""

    def __init__(self, logs: Path, names: Iterable[str], *, last_lines: int = 0) -> None:
        self._files = {name: logs / f"{name}.log" for name in names}
        self._read_to = {name: _start_of_last(file, last_lines) for name, file in self._files.items()}

    def new_lines(self) -> list[tuple[str, str]]:
        """Whole lines written since the last call; a line still being written waits for its end."""
        lines = []
        for name, file in self._files.items():
            if not file.exists():
                continue
            if file.stat().st_size < self._read_to[name]:  # the file was put aside and begun again
                self._read_to[name] = 0
            with file.open("rb") as log:
                log.seek(self._read_to[name])
                whole, newline, _rest = log.read().rpartition(b"\n")
            self._read_to[name] += len(whole) + len(newline)
            if newline:
                lines += [(name, line) for line in whole.decode(errors="replace").split("\n")]
        return lines


def _start_of_last(file: Path, lines: int) -> int:
    if not file.exists():
        return 0
    with file.open("rb") as log:
        end = log.seek(0, 2)
        position, seen, block = end, -1, 65_536
        while position > 0:
            position = max(0, position - block)
            log.seek(position)
            chunk = log.read(min(block, end - position))
            for offset in range(len(chunk) - 1, -1, -1):
                if chunk[offset] == 0x0A:
                    seen += 1
                    if seen == lines:
                        return position + offset + 1
            end = position
    return 0
