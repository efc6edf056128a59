"""What a backup holds: written last, so that a folder without it is no backup."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from till_platform.local.files import write_atomically
from tillstream.exits import CommandFailed, Exit

NAME = "backup.json"


class Dump(BaseModel):
    """One service's database: its file, and how far its log had come."""

    file: str
    bytes: int
    sha256: str
    log_position: int
    steps: int


class Manifest(BaseModel):
    """A backup of a whole Tillstream, at one point."""

    format: int = 1
    made_at: datetime
    version: str
    partitions: int
    secure: bool = False
    """Whether Kafka's doors were closed. What opens them is not in a backup."""
    services: dict[str, Dump]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what a folder holds; raise CommandFailed where there is no backup, or one that was changed since it was made."""
        try:
            manifest = cls.model_validate_json((folder / NAME).read_text())
        except FileNotFoundError:
            raise CommandFailed(f"{folder} holds no backup", f"there is no {NAME} in it", Exit.NOT_FOUND) from None
        except ValidationError as error:
            raise CommandFailed(f"{folder / NAME} cannot be understood", str(error).splitlines()[0]) from error
        for name, dump in manifest.services.items():
            path = folder / dump.file
            if not path.exists() or fingerprint(path) != dump.sha256:
                raise CommandFailed(f"the backup of {name} is not what it was when it was made", f"see {path}")
        return manifest

    def write(self, folder: Path) -> None:
        """Make the folder a backup."""
        write_atomically(folder / NAME, self.model_dump_json(indent=2))


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
