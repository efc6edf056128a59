"""What customers are called when nobody says: ids derived from what is known, so that the same customer told twice is one customer."""

from uuid import UUID, uuid5

_BY_EXTERNAL_ID = UUID("9d0c1f7e-3a54-5b8e-9a61-6f0d2c4b7e01")
_BY_LIST = UUID("9d0c1f7e-3a54-5b8e-9a61-6f0d2c4b7e02")
_IMPORTS = UUID("9d0c1f7e-3a54-5b8e-9a61-6f0d2c4b7e03")


def named_by(external_id: str) -> str:
    """Return the id of the one customer whom another system calls `external_id`."""
    return str(uuid5(_BY_EXTERNAL_ID, external_id))


def listed_at(file_sha256: str, row: int) -> str:
    """Return the id of the customer in a row of a file, the same under every mapping: a corrected mapping corrects, it does not double."""
    return str(uuid5(_BY_LIST, f"{file_sha256}\x1f{row}"))


def import_of(file_sha256: str, *instructions: str) -> str:
    """Return the id of the import of a file under these instructions: the same file read the same way is the same import."""
    return str(uuid5(_IMPORTS, "\x1f".join((file_sha256, *instructions))))
