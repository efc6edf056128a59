"""Open a store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from till_order.domain.store import Store, UnknownStore
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class OpenStore:
    """A shop as head office describes it. `zone` is an IANA name, `currency` an ISO 4217 code."""

    store_id: str
    name: str
    zone: str
    currency: str
    country: str | None = None


async def open_store(command: OpenStore, log: Log, now: datetime) -> Store:
    """Open a store, once. Raises `StoreConflict` if it is open under another description."""
    store = await log.find(Store, command.store_id)
    store.open(name=command.name, zone=command.zone, currency=command.currency, country=command.country, now=now)
    if store.pending:
        await log.save(store)
    return store


async def load_store(log: Log, store_id: str) -> Store:
    """Return an open store; raise `UnknownStore`."""
    store = await log.find(Store, store_id)
    return _open(store)


class KnownStores:
    """The stores that a long list of receipts names, each read once: what is known of a store never changes."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._stores: dict[str, Store] = {}

    async def read(self, store_ids: Iterable[str]) -> None:
        """Read the stores among these that were not met before."""
        unmet = set(store_ids) - self._stores.keys()
        if unmet:
            found = await self._log.load_many(Store, unmet)
            self._stores |= {store_id: store for store_id, store in found.items() if store.exists}

    def get(self, store_id: str) -> Store:
        """Return a store; raise `UnknownStore`."""
        return _open(self._stores.get(store_id) or Store(Store.stream(store_id)))


def _open(store: Store) -> Store:
    if not store.exists:
        raise UnknownStore(f"nobody opened store {store.identity}", field="store_id", store_id=store.identity)
    return store
