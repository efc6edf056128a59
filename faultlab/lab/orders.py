"""What an instance is told by the nemesis while it runs: files in a directory that both know, each an order by its name."""

from pathlib import Path


class Orders:
    """The nemesis gives and withdraws; inside an instance `inside.py` looks and obeys."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def give(self, name: str, measure: float = 0.0) -> None:
        """Order something: how much, seconds mostly, where that says anything."""
        path = self.directory / name
        unfinished = path.with_suffix(".new")
        unfinished.write_text(str(measure))
        unfinished.replace(path)

    def stands(self, name: str) -> float | None:
        """Return the measure of an order that stands."""
        try:
            return float((self.directory / name).read_text())
        except FileNotFoundError:
            return None

    def take(self, name: str) -> bool:
        """Withdraw an order, or carry it out as the only one who does; return whether it stood."""
        try:
            (self.directory / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def clear(self) -> None:
        """Nothing is ordered any more."""
        for path in self.directory.iterdir():
            path.unlink(missing_ok=True)
