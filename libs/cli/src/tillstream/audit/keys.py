"""The public keys an auditor works with: given as files, or those of the stack on this machine."""

from collections.abc import Sequence
from pathlib import Path

from till_platform.audit.keys import NotAKey, PublicKey
from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory


def read_keys(files: Sequence[Path]) -> list[PublicKey]:
    """Read public keys from PEM files, several in one if need be; raise CommandFailed for a file that holds none."""
    return [key for file in files for key in _keys_in(file)]


def keys_given(files: Sequence[Path] | None, data_dir: Path) -> list[PublicKey]:
    """Return the keys in the files, or without any the one of the stack on this machine."""
    if files:
        return read_keys(files)
    own = DataDirectory(data_dir).audit_public_key
    if not own.exists():
        raise CommandFailed(
            "no public key to check signatures with", "--public-key FILE; till audit keys prints it", Exit.USAGE
        )
    return read_keys([own])


def _keys_in(file: Path) -> list[PublicKey]:
    end = "-----END PUBLIC KEY-----"
    try:
        found = [PublicKey.of_pem(text + end) for text in file.read_text(encoding="utf-8").split(end)[:-1]]
    except (NotAKey, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file}: {error}", code=Exit.USAGE) from error
    if not found:
        raise CommandFailed(f"{file} holds no public key in PEM", "till audit keys prints them", Exit.USAGE)
    return found
