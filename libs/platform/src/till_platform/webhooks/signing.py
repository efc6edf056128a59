"""Signatures by the Standard Webhooks specification, so that receivers can use its libraries in any language."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """Return a secret to share with one receiver."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed(event_id: str, at: datetime, body: bytes, keys: Iterable[str]) -> dict[bytes | str, bytes | str]:
    """Return the headers of a call: the id that tells a repeat, the time that tells an old call sent again, a signature for each key."""
    stamp = str(int(at.timestamp()))
    content = b".".join((event_id.encode(), stamp.encode(), body))
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), content, hashlib.sha256)).decode()
        for key in keys
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
