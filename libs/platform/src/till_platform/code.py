"""The code itself as a fingerprint: what was worked out by other code is not gone on with."""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


def fingerprint_of(cls: type) -> str:
    """Return a fingerprint of all code that a class can lean on: its own package, the published language and the plumbing."""
    return _fingerprint(cls.__module__.partition(".")[0])


@cache
def _fingerprint(package: str) -> str:
    found = hashlib.sha256()
    for name in sorted({package, "till_events", "till_platform"}):
        try:
            root = files(name)
        except (ModuleNotFoundError, TypeError):  # a class that was declared where there is no package
            found.update(name.encode())
        else:
            _add(root, found)
    return found.hexdigest()


def _add(folder: Traversable, found: "hashlib._Hash") -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            _add(entry, found)
        elif entry.name.endswith(".py"):
            found.update(entry.name.encode())
            found.update(entry.read_bytes())
