"""Events against the signed heads among them: what is the first thing that is not as it was signed?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from till_events import catalogue
from till_events.audit import LogSigned
from till_events.base import declarations
from till_events.chain import MARK_LENGTH, START, event_hash, link, mark
from till_events.codec import UnreadableEvent, decode
from till_events.envelope import Envelope
from till_platform.audit.keys import PublicKey
from tillstream.audit.hashes import Hashes
from tillstream.audit.keyring import Keyring

assert catalogue  # importing it declares every event
HEADS = frozenset(declared.type for declared in declarations() if issubclass(declared.cls, LogSigned))


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it was found. `chain` is the chain's hash after it, where the place it was found at tells it: an export does."""

    envelope: Envelope
    data: bytes
    public: bool = True
    chain: bytes | None = None


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at a position: `altered`, `missing`, `added`, `reordered`, or about a head itself: `head`, `chain`."""

    rank: int
    position: int
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"position {self.position}: {self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one log: how much was there, how far it is signed, and the first thing that is wrong, if anything is."""

    source: str
    first: int
    events: int
    heads: int
    signed_to: int
    unsigned: int
    problem: Problem | None


def _about_event(position: int, kind: str, detail: str) -> Problem:
    return Problem(0, position, kind, detail)


def _about_heads(position: int, kind: str, detail: str) -> Problem:
    """What follows for whole ranges: told only where no single event is to blame."""
    return Problem(1, position, kind, detail)


class Check:
    """Checks one log, or the public events of one.

    `whole` says that private events are there too, so that no position may be missing and all are in order; `partial` that the first ones
    may be missing, as in an export of a part. Without it events may come in any order and again, as partitions of a topic do. Where no
    signature is to be checked (`keys` is None), the hashes still are.
    """

    def __init__(
        self, source: str, keys: Iterable[PublicKey] | None, *, whole: bool = True, partial: bool = False
    ) -> None:
        self.source = source
        self.heads: list[LogSigned] = []
        self.problems: list[Problem] = []
        self.takes_heads = True
        """Turned off, heads are events like others: of a topic that grows, nothing newer than the rest of it is believed."""
        self._partial = partial
        self._keyring = None if keys is None else Keyring(keys)
        self._whole = whole
        self._hashes = Hashes()
        self._chain: tuple[int, bytes] = (0, START)

    def take(self, entry: Entry) -> None:
        """Take the next event."""
        envelope, position = entry.envelope, entry.envelope.position
        name = _name(envelope)
        found = event_hash(envelope, entry.data, public=entry.public)
        if envelope.source != self.source or position < 1:
            self._event(position, "added", f"{name} is not an event of this log")
            return
        if position in self._hashes:
            if self._whole or found != self._hashes.get(position):
                self._event(position, "added", f"{name} stands where there is an event already")
            return
        if self._whole and position < self._hashes.last:
            self._event(position, "reordered", f"{name} stands behind the event of position {self._hashes.last}")
        self._hashes.put(position, found, public=entry.public)
        self._follow(entry, found)
        if self.takes_heads and envelope.type in HEADS:
            self._head(entry)

    def refuse(self, detail: str) -> None:
        """Note that what stands after the events taken so far cannot be read as an event at all."""
        self._event(self._chain[0] + 1, "altered", detail)

    def stranger(self, detail: str) -> None:
        """Note something that is no event of anybody's."""
        self._event(0, "added", detail)

    def foreign(self, envelope: Envelope, detail: str) -> None:
        """Note an event around which something was changed that no hash speaks of."""
        self._event(envelope.position, "altered", f"{_name(envelope)} {detail}")

    def out_of_place(self, entry: Entry) -> None:
        """Take an event that does not follow the one in front of it: a repeat of one in its place, or else it was moved."""
        if entry.envelope.position not in self._hashes:
            detail = f"{_name(entry.envelope)} does not follow the event in front of it"
            self._event(entry.envelope.position, "reordered", detail)
        self.take(entry)

    @property
    def _first(self) -> int:
        return self._hashes.first if self._partial else 1

    def verdict(self, name_of: Callable[[int], str | None] = lambda _: None) -> Verdict:
        """Return what is first, now that everything was taken. `name_of` looks up what stands at a position, to be named."""
        problem = min([*self.problems, *self._differences()], default=None)
        if problem and problem.kind == "altered" and (name := name_of(problem.position)):
            problem = Problem(problem.rank, problem.position, problem.kind, f"{name} {problem.detail}")
        signed_to = max((head.position for head in self.heads), default=0)
        unsigned = sum(position in self._hashes for position in range(signed_to + 1, self._hashes.last + 1))
        return Verdict(
            self.source, self._hashes.first, self._hashes.count, len(self.heads), signed_to, unsigned, problem
        )

    def _event(self, position: int, kind: str, detail: str) -> None:
        self.problems.append(_about_event(position, kind, detail))

    def _follow(self, entry: Entry, found: bytes) -> None:
        """Follow the chain as far as events come one after the other, and compare it with what stands beside them."""
        position = entry.envelope.position
        before, chain = self._chain
        if before == position - 1:
            chain = link(chain, found)
            if entry.chain is not None and entry.chain != chain:
                self._event(
                    position, "altered", f"{_name(entry.envelope)} does not give the hash that stands beside it"
                )
        elif entry.chain is None:
            return
        self._chain = (position, entry.chain or chain)

    def _head(self, entry: Entry) -> None:
        position, name = entry.envelope.position, _name(entry.envelope)
        try:
            head = decode(entry.envelope.type, entry.data)
        except UnreadableEvent:
            self._event(position, "altered", f"{name} is a signed head that cannot be read")
            return
        assert isinstance(head, LogSigned)
        reason = _nonsense(head, entry.envelope) or (self._keyring.refusal(head) if self._keyring else None)
        if reason:
            self._event(position, "altered", f"{name}, a signed head, {reason}")
            return
        before = self.heads[-1] if self.heads else None
        if reason := self._break(head, before):
            self.problems.append(_about_heads((before.position if before else 0) + 1, "chain", f"{name} {reason}"))
        self.heads.append(head)

    def _break(self, head: LogSigned, before: LogSigned | None) -> str | None:
        if before is None:
            partial = self._first > 1
            started = (0, START.hex(), START.hex()) == (head.since, head.since_hash, head.since_public_hash)
            return None if started or partial else f"goes on from position {head.since}, and no head reaches that far"
        if head.since != before.position:
            return f"goes on from position {head.since}, and the head before it ends at {before.position}"
        if (head.since_hash, head.since_public_hash) != (before.hash, before.public_hash):
            return "goes on from another chain than the head before it"
        return None

    def _differences(self) -> Iterator[Problem]:
        """Compare what was found with what was signed: of each head the first difference, which is all that matters."""
        for head in self.heads:
            if problem := next(self._in_range(head), None) or self._in_chain(head):
                yield problem
        if self._whole and self._hashes.count:
            missing = (p for p in range(self._first, self._hashes.last) if p not in self._hashes)
            if (position := next(missing, None)) is not None:
                yield _about_event(position, "missing", "there is no event at this position")

    def _in_range(self, head: LogSigned) -> Iterator[Problem]:
        for position in range(max(head.since + 1, self._first), head.position + 1):
            place = MARK_LENGTH * (position - head.since - 1)
            signed = head.marks[place : place + MARK_LENGTH]
            found = self._hashes.get(position)
            if found is None:
                if self._whole or signed.startswith("+"):
                    yield _about_event(position, "missing", "there is no event at this position, and one was signed")
            elif mark(found, public=self._hashes.public(position)) != signed:
                if signed.startswith("-") and self._hashes.public(position) and not self._whole:
                    yield _about_event(position, "added", "an event that was never published was signed here")
                yield _about_event(
                    position, "altered", f"hash begins with {found.hex()[:12]}, the one signed with {signed[1:]}"
                )

    def _in_chain(self, head: LogSigned) -> Problem | None:
        if self._first > head.since + 1:
            return None  # an export that begins in the middle of what the head speaks of
        chain, wanted = (head.since_hash, head.hash) if self._whole else (head.since_public_hash, head.public_hash)
        hashed = bytes.fromhex(chain)
        for position in range(head.since + 1, head.position + 1):
            found = self._hashes.get(position)
            if found is not None:
                hashed = link(hashed, found)
        if hashed.hex() == wanted:
            return None
        detail = f"something up to position {head.position} is not what was signed"
        return _about_heads(head.since + 1, "chain", detail)


def _name(envelope: Envelope) -> str:
    return f"{envelope.subject}@{envelope.sequence} ({envelope.type})"


def _nonsense(head: LogSigned, envelope: Envelope) -> str | None:
    """Return what makes a head one that no service writes, whoever signed it."""
    if head.source != envelope.source:
        return f"speaks of the log {head.source}"
    if not 0 <= head.since < head.position:
        return f"speaks of positions {head.since + 1} to {head.position}"
    if len(head.marks) != MARK_LENGTH * (head.position - head.since):
        return "does not name each event it speaks of"
    return None
