"""With which keys the logs were signed, and from where to where."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from till_events.audit import LogSigned
from till_events.codec import decode
from till_platform.audit.heads import stream_of
from till_platform.audit.keys import PublicKey
from tillstream.audit.logs import logs, open_log

_HEADS = "SELECT type, data FROM log WHERE stream = %s ORDER BY sequence"


def used_keys(services: Sequence[str] | None, data_dir: Path) -> list[dict[str, Any]]:
    """Return, for each key a log was signed with, the positions it signed and the key it announced."""
    used: list[dict[str, Any]] = []
    for service, address in logs(services, None, data_dir).items():
        with open_log(address) as connection:
            rows = connection.execute(_HEADS, [stream_of(service)], binary=True)
            heads = (head for kind, data in rows if isinstance(head := decode(kind, data), LogSigned))
            for key, signed in groupby(heads, key=lambda head: head.key_id):
                used.append(_used(service, key, list(signed)))
    return used


def _used(service: str, key: str, heads: Sequence[LogSigned]) -> dict[str, Any]:
    announced = heads[-1].next_key
    return {
        "service": service,
        "key": key,
        "from": heads[0].since + 1,
        "to": heads[-1].position,
        "announces": PublicKey(bytes.fromhex(announced)).id if announced else None,
    }
