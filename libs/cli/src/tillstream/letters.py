"""Dead letters of the services that run: what a consumer could not take, and what waits behind it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from till_platform.worker.parking import WAITING
from tillstream.attached import Attached, ask

_PAGE = 1000
_PATH = "/v1/dead-letters"

Letter = dict[str, Any]


def letters_of(
    attached: Attached, services: Sequence[str], *, reason: str | None = None, settled: bool = False
) -> list[Letter]:
    """Return the letters of some services, oldest first, each with the name of its service; `settled` ones only if asked for."""
    return [letter for service in services for letter in _pages(attached, service, reason, settled=settled)]


def _pages(attached: Attached, service: str, reason: str | None, *, settled: bool) -> Iterator[Letter]:
    after = 0
    with attached.client(service) as client:
        while True:
            query = {"after": after, "limit": _PAGE, "settled": settled, **({"reason": reason} if reason else {})}
            items = ask(client, "GET", _PATH, params=query)["items"]
            for item in items:
                yield {"service": service, **item}
            if len(items) < _PAGE:
                return
            after = items[-1]["id"]


def by_reason(letters: Sequence[Letter]) -> list[dict[str, Any]]:
    """Return how many letters each service has for each reason and type, the most first."""
    counts = Counter((letter["service"], letter["reason"], letter["type"]) for letter in letters)
    return [
        {"service": service, "reason": reason, "type": kind, "letters": number}
        for (service, reason, kind), number in counts.most_common()
    ]


def whole(attached: Attached, service: str, letter_id: int) -> Letter:
    """Return one letter with its bytes (base64) and headers."""
    with attached.client(service) as client:
        return {"service": service, **ask(client, "GET", f"{_PATH}/{letter_id}")}


def retry(attached: Attached, service: str, letter_id: int) -> int:
    """Take a letter again, and all that waits behind it; return how many were taken. Raises CommandFailed if one fails again."""
    with attached.client(service) as client:
        return int(ask(client, "POST", f"{_PATH}/{letter_id}/retry")["taken"])


def discard(attached: Attached, service: str, letter_id: int, why: str) -> int:
    """Give a letter up for a reason that is kept; return how many that waited behind it were taken."""
    with attached.client(service) as client:
        return int(ask(client, "POST", f"{_PATH}/{letter_id}/discard", json={"why": why})["taken"])


def heads(letters: Sequence[Letter]) -> list[Letter]:
    """Return the letters that others wait behind, or that nobody waits behind: those to begin with."""
    return [letter for letter in letters if letter["reason"] != WAITING and letter["settled_at"] is None]
