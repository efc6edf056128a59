"""Whose signature is good: the keys an auditor was given, and those that a good signature announced."""

from collections.abc import Iterable

from till_events.audit import LogSigned, statement
from till_platform.audit.keys import PublicKey


class Keyring:
    """The keys of one log, as they take over from each other along it."""

    def __init__(self, given: Iterable[PublicKey]) -> None:
        self._trusted = {key.id: key for key in given}
        self._announced_by: dict[str, str] = {}

    def refusal(self, head: LogSigned) -> str | None:
        """Return why a head is not to be believed, or None. To be asked in the order of the log."""
        key = self._trusted.get(head.key_id)
        if key is None:
            return f"is signed with key {head.key_id}, which was neither given nor announced by one that was"
        if not key.verifies(head.signature, statement(head)):
            return f"does not carry the signature of key {head.key_id}"
        if (old := self._announced_by.pop(key.id, None)) is not None:
            self._trusted.pop(old, None)
        if head.next_key:
            announced = PublicKey(bytes.fromhex(head.next_key))
            if announced.id not in self._trusted:
                self._trusted[announced.id] = announced
                self._announced_by[announced.id] = key.id
        return None
