"""The key that the logs of a local stack are signed with: made on this machine, never leaving it."""

from till_platform.audit.keys import SigningKey, new_key
from till_platform.local.files import write_atomically
from tillstream.local.directory import DataDirectory


def ensure_audit_key(directory: DataDirectory) -> None:
    """Make the key where there is none yet, and put its public half where everybody finds it."""
    if not directory.audit_key.exists():
        write_atomically(directory.audit_key, new_key(), mode=0o600)
    write_atomically(directory.audit_public_key, SigningKey(directory.audit_key.read_text()).public.pem)
