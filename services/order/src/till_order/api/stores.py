"""The chain's stores."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from till_order.api.access import HeadOffice, Reader
from till_order.api.bodies import Body, Id
from till_order.api.replies import Reply
from till_order.commands.open_store import OpenStore, open_store
from till_order.domain.store import Store, StoreConflict
from till_order.projections.stores import list_stores
from till_platform.domain import Invalid, NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, problems, tag

router = APIRouter(prefix="/v1/stores", tags=["stores"])


class StoreBody(Body):
    """A shop. Its zone decides which business day a sale counts for."""

    store_id: Id
    name: Annotated[str, Field(min_length=1, max_length=200)]
    zone: Annotated[str, Field(max_length=64, description="IANA name, e.g. Europe/Warsaw")]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
    country: Annotated[str | None, Field(pattern="^[A-Z]{2}$", description="ISO 3166 code")] = None


class StoreReply(Reply):
    store_id: str
    name: str
    zone: str
    currency: str
    country: str | None
    opened_at: datetime

    @classmethod
    def of(cls, store: Store) -> "StoreReply":
        opened = store.opened
        return cls(
            store_id=opened.store_id,
            name=opened.name,
            zone=opened.zone,
            currency=opened.currency,
            country=opened.country,
            opened_at=opened.occurred_at,
        )


@router.post("", status_code=201, responses=problems(StoreConflict, Invalid))
async def open_one(body: StoreBody, who: HeadOffice, log: LogDep, clock: ClockDep, once: Once) -> StoreReply:
    """Open a store. The same description again changes nothing."""
    who.must_reach(body.store_id)
    command = OpenStore(**body.model_dump())
    return await once(lambda: log.retrying(lambda: open_store(command, log, clock.now())), StoreReply.of)


@router.get("")
async def show_stores(who: Reader, reads: ReadsDep, cursor: CursorDep) -> Page[StoreReply]:
    """List the stores the caller reaches."""
    (after,) = cursor.after or ("",)
    rows = await list_stores(reads, who.store_filter(), str(after), cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["store_id"],), item=lambda row: StoreReply(**row))


@router.get("/{store_id}", responses=problems(NotFound))
async def show_store(
    store_id: Annotated[str, Path(max_length=64)], who: Reader, log: LogDep, response: Response
) -> StoreReply:
    """Show a store."""
    who.must_reach(store_id)
    store = await log.load(Store, store_id)
    tag(response, store.version)
    return StoreReply.of(store)
