"""Bring a customer list into the base: row by row, each answered alone, and as often as need be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from msgspec import Struct

from till_customer.commands.customer_list import Row, Sheet, UnreadableRow
from till_customer.domain.customer import Customer
from till_customer.domain.customer_import import Counts, CustomerImport
from till_customer.domain.identities import import_of, listed_at, named_by
from till_customer.domain.known_customers import Identifier, KnownCustomers, check_not_taken, identifiers_of
from till_customer.domain.list_row import ListedCustomer, Reading, read_row, register_listed, update_listed
from till_platform.clock import Clock
from till_platform.domain import DomainError, Forbidden, Invalid
from till_platform.eventstore.errors import VersionConflict
from till_platform.eventstore.log import Log

AT_ONCE = 500
_TRIES = 3
_REMEMBERED = 50_000

Mode = Literal["update", "skip"]
Status = Literal["created", "updated", "skipped", "rejected"]


@dataclass(frozen=True, kw_only=True)
class ImportCustomers:
    """A list, opened, and what is to be done with it: which column tells what, and whether known customers are updated or left alone.

    A dry run answers every row as the import would, and records nothing. `reaches` says whose customers the caller may register.
    """

    file_name: str
    file_sha256: str
    sheet: Sheet
    mapping: dict[str, str]
    mode: Mode
    reading: Reading
    dry_run: bool
    reaches: Callable[[str], bool]

    @property
    def import_id(self) -> str:
        """The same file read the same way is the same import."""
        told = (*(f"{column}={field}" for column, field in sorted(self.mapping.items())), self.mode)
        return import_of(self.file_sha256, *told, str(self.reading.country), self.reading.zone, self.reading.dates)


class RowAnswer(Struct, frozen=True, kw_only=True):
    """What became of a row. `problem` has the code and sentence of a refusal, and the field where there is one; never what was written."""

    row: int
    status: Status
    customer_id: str | None = None
    problem: dict[str, Any] | None = None
    possible_duplicates: list[str] = []


class Summary(Struct, frozen=True, kw_only=True):
    """The last line of the answer: without it the list was not read to its end, and should be sent again."""

    import_id: str
    rows: int
    created: int
    updated: int
    skipped: int
    rejected: int
    dry_run: bool
    mode: Mode
    mapping: dict[str, str]
    format: str
    encoding: str | None
    delimiter: str | None


class LastLine(Struct, frozen=True):
    summary: Summary


@dataclass(kw_only=True)
class _Draft:
    """A row on its way: what it tells, whom it is about, and what came of it."""

    row: int
    listed: ListedCustomer | None = None
    refusal: DomainError | None = None
    customer_id: str | None = None
    status: Status = "rejected"
    contacts: Sequence[str] = ()
    duplicates: list[str] = field(default_factory=list)

    def answer(self) -> RowAnswer:
        if self.refusal is not None:
            facts = self.refusal.facts
            problem = {"code": self.refusal.code, "detail": self.refusal.detail, **facts}
            return RowAnswer(row=self.row, status="rejected", customer_id=self.customer_id, problem=problem)
        return RowAnswer(
            row=self.row, status=self.status, customer_id=self.customer_id, possible_duplicates=self.duplicates
        )


async def import_customers(
    command: ImportCustomers, log: Log, known: KnownCustomers, clock: Clock
) -> AsyncIterator[list[RowAnswer | LastLine]]:
    """Yield the answers to the rows in the order of the list, then one last line that adds them up.

    Whom a row is about is decided by its id, its id in another system, its card, and else by its place in the file: so the list can be sent
    again after any interruption, and what was done is not done twice.
    """
    started_at = clock.now()
    done = await log.find(CustomerImport, command.import_id)
    done.start(
        file_name=command.file_name,
        file_sha256=command.file_sha256,
        mode=command.mode,
        mapping=command.mapping,
        at=started_at,
    )
    if not command.dry_run and done.pending:
        await log.save(done)
    run = _Run(command, log, known, now=started_at)
    counts: Counter[str] = Counter()
    while chunk := await asyncio.to_thread(lambda: list(islice(command.sheet.rows, AT_ONCE))):
        answers = [draft.answer() for draft in await run.settle(chunk)]
        counts.update(answer.status for answer in answers)
        yield list(answers)
    total = Counts(**counts)
    if not command.dry_run:
        await _complete(command.import_id, log, total, started_at=started_at, at=clock.now())
    yield [LastLine(_summary(command, total))]


async def _complete(import_id: str, log: Log, counts: Counts, *, started_at: datetime, at: datetime) -> None:
    async def complete() -> None:
        done = await log.load(CustomerImport, import_id)
        done.complete(counts, started_at=started_at, at=at)
        await log.save(done)

    await log.retrying(complete)


def _summary(command: ImportCustomers, counts: Counts) -> Summary:
    return Summary(
        import_id=command.import_id,
        rows=counts.rows,
        created=counts.created,
        updated=counts.updated,
        skipped=counts.skipped,
        rejected=counts.rejected,
        dry_run=command.dry_run,
        mode=command.mode,
        mapping=command.mapping,
        format=command.sheet.format,
        encoding=command.sheet.encoding,
        delimiter=command.sheet.delimiter,
    )


class _Run:
    """One reading of a list, chunk by chunk."""

    def __init__(self, command: ImportCustomers, log: Log, known: KnownCustomers, *, now: datetime) -> None:
        self._command = command
        self._log = log
        self._known = known
        self._now = now
        self._owners: dict[Identifier, str] = {}  # of rows just read: the read models have not heard of them yet
        self._imagined: set[str] = set()  # whom a dry run would have registered

    async def settle(self, chunk: list[Row]) -> list[_Draft]:
        """Read, decide and record a chunk of rows. Rows about a customer whom somebody changed meanwhile are decided again."""
        drafts = await asyncio.to_thread(lambda: [self._read(number, cells) for number, cells in chunk])
        open_drafts = [draft for draft in drafts if draft.refusal is None]
        await self._identify(open_drafts)
        for _ in range(_TRIES):
            open_drafts = await self._decide([draft for draft in open_drafts if draft.customer_id is not None])
            if not open_drafts:
                break
        for draft in open_drafts:
            draft.refusal = VersionConflict("somebody else is changing this customer: send the list again")
        await self._find_duplicates(drafts)
        return drafts

    def _read(self, number: int, cells: list[Any] | UnreadableRow) -> _Draft:
        if isinstance(cells, UnreadableRow):
            return _Draft(row=number, refusal=Invalid(cells.why))
        by_field: dict[str, list[Any]] = {}
        for column, cell in zip(self._command.sheet.columns, cells, strict=True):
            if column in self._command.mapping:
                by_field.setdefault(self._command.mapping[column], []).append(cell)
        try:
            listed = read_row(by_field, self._command.reading, now=self._now)
        except DomainError as refusal:
            return _Draft(row=number, refusal=refusal)
        store_id = listed.parts.get("store_id")
        if store_id and not self._command.reaches(store_id):
            return _Draft(row=number, refusal=Forbidden("your token does not reach this store", field="store_id"))
        return _Draft(row=number, listed=listed)

    async def _identify(self, drafts: list[_Draft]) -> None:
        """Decide whom each row is about. What an earlier row of the list took cannot be taken by a later one."""
        wanted = {key for draft in drafts for key in _identifiers(draft)}
        owners = {**(await self._known.owners(wanted) if wanted else {}), **self._owners}
        if len(self._owners) > _REMEMBERED:
            self._owners.clear()
        for draft in drafts:
            assert draft.listed is not None
            mine = {key: owners[key] for key in _identifiers(draft) if key in owners}
            external_id = draft.listed.external_id
            identity = draft.listed.customer_id or next(iter(mine.values()), None)
            identity = identity or (named_by(external_id) if external_id else None)
            draft.customer_id = identity or listed_at(self._command.file_sha256, draft.row)
            try:
                check_not_taken(draft.customer_id, mine)
            except DomainError as refusal:
                draft.refusal, draft.customer_id = refusal, None
                continue
            taken = dict.fromkeys(_identifiers(draft), draft.customer_id)
            self._owners.update(taken)
            owners.update(taken)

    async def _decide(self, drafts: list[_Draft]) -> list[_Draft]:
        """Decide and record; return the drafts whose customers were changed by somebody else in between."""
        customers = await self._log.load_many(Customer, {draft.customer_id for draft in drafts if draft.customer_id})
        changed = await asyncio.to_thread(self._apply, drafts, customers)
        if self._command.dry_run:
            return []
        outcomes = await self._log.save_each(list(changed.values()))
        conflicts = {
            identity for identity, outcome in zip(changed, outcomes, strict=True) if isinstance(outcome, DomainError)
        }
        return [draft for draft in drafts if draft.customer_id in conflicts]

    def _apply(self, drafts: list[_Draft], customers: dict[str, Customer]) -> dict[str, Customer]:
        changed: dict[str, Customer] = {}
        for draft in drafts:
            assert draft.listed is not None
            assert draft.customer_id is not None
            # A row is taken whole or not at all, so it is tried on a copy.
            customer = deepcopy(customers[draft.customer_id])
            before = customer.version
            draft.refusal = None
            try:
                draft.status = self._status(customer, draft.listed)
            except DomainError as refusal:
                draft.refusal = refusal
                continue
            if customer.version > before:
                customers[draft.customer_id] = changed[draft.customer_id] = customer
            if draft.status == "created":
                draft.contacts = (*customer.known.phones, *customer.known.emails)
        return changed

    def _status(self, customer: Customer, listed: ListedCustomer) -> Status:
        reading = self._command.reading
        if not customer.exists and customer.identity not in self._imagined:
            register_listed(customer, listed, reading, at=self._now)
            if self._command.dry_run:
                self._imagined.add(customer.identity)
            return "created"
        if self._command.mode == "skip":
            return "skipped"
        if not customer.exists:
            return "updated"
        before = customer.version
        update_listed(customer, listed, reading, at=self._now)
        return "updated" if customer.version > before else "skipped"

    async def _find_duplicates(self, drafts: list[_Draft]) -> None:
        """Tell of customers with the same phone or address. Nothing is decided by it: households share phones."""
        created = [draft for draft in drafts if draft.refusal is None and draft.contacts]
        if not created:
            return
        sharing = await self._known.sharing({contact for draft in created for contact in draft.contacts})
        for draft in created:
            others = {other for contact in draft.contacts for other in sharing.get(contact, ())}
            draft.duplicates = sorted(others - {draft.customer_id})[:10]


def _identifiers(draft: _Draft) -> list[Identifier]:
    return identifiers_of(draft.listed.external_id, draft.listed.cards) if draft.listed else []
