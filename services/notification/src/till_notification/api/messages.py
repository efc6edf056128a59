"""What was sent to customers, what was not, and why; and one message by hand."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from till_notification.api.access import Correspondent, Reader, masked, may_see_customers
from till_notification.commands.wordings import NoWords
from till_notification.commands.write_to_customer import WriteToCustomer, write_to_customer
from till_notification.domain.message import Message
from till_notification.domain.wording import UnsuitableWording
from till_notification.projections.contacts import recipient
from till_notification.projections.messages import message_card, message_counts, message_list
from till_platform.domain import Forbidden, NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, Who, problems

router = APIRouter(prefix="/v1", tags=["messages"])

Outcome = Literal["pending", "deferred", "sent", "suppressed", "failed"]
Id = Annotated[str, Field(min_length=1, max_length=128)]


class MessageReply(BaseModel):
    """A message and what became of it. `reason` tells why it was not sent; the address is masked for who need not know it."""

    message_id: str
    customer_id: str
    channel: str
    purpose: str
    template_id: str
    rule_id: str
    trigger_type: str
    trigger_event_id: str
    order_id: str | None
    store_id: str | None
    urgent: bool
    requested_at: datetime
    not_after: datetime
    outcome: Outcome
    settled_at: datetime | None
    deferred_until: datetime | None
    reason: str | None
    attempts: int | None
    template_version: int | None
    locale: str | None
    address: str | None
    consent_event_id: str | None
    provider_message_id: str | None


class MessageCard(MessageReply):
    """A message with the words the customer read. Who need not know customers sees neither words nor address: a greeting names somebody."""

    subject: str | None
    text: str | None


class Count(BaseModel):
    """How many messages of a channel came to an outcome, for a reason."""

    outcome: Outcome
    reason: str | None
    channel: str
    messages: int


class Summary(BaseModel):
    """What became of all messages."""

    messages: int
    counts: list[Count]


class WriteToCustomerBody(BaseModel):
    """A message by hand. It is marketing: it goes only to who agreed to that, and not at night."""

    model_config = ConfigDict(extra="forbid")

    template_id: Id
    channel: Literal["sms", "email"]
    store_id: Id | None = None


class RequestedReply(BaseModel):
    """The message that was asked for. What becomes of it is told by `GET /v1/messages/{message_id}`."""

    message_id: str

    @classmethod
    def of(cls, message: Message) -> "RequestedReply":
        return cls(message_id=message.identity)


@router.get("/messages")
async def list_messages(
    who: Reader,
    reads: ReadsDep,
    cursor: CursorDep,
    customer_id: Annotated[str | None, Query(max_length=128)] = None,
    order_id: Annotated[str | None, Query(max_length=128)] = None,
    outcome: Outcome | None = None,
) -> Page[MessageReply]:
    """List messages, newest first, without their words."""
    rows = await message_list(
        reads,
        customer_id=customer_id,
        order_id=order_id,
        outcome=outcome,
        stores=who.store_filter(),
        after=cursor.after,
        limit=cursor.fetch,
    )
    return cursor.page(
        rows,
        key=lambda row: (row["requested_at"], row["message_id"]),
        item=lambda row: MessageReply(**_shown(row, who)),
    )


@router.get("/messages:summary")
async def summarise_messages(who: Reader, reads: ReadsDep) -> Summary:
    """Count messages by outcome, reason and channel."""
    counts = [Count(**row) for row in await message_counts(reads, stores=who.store_filter())]
    return Summary(messages=sum(count.messages for count in counts), counts=counts)


@router.get("/messages/{message_id}", responses=problems(NotFound))
async def show_message(message_id: Annotated[str, Path(max_length=128)], who: Reader, reads: ReadsDep) -> MessageCard:
    """Show one message: its words, its date, its outcome, and the consent it relied on."""
    row = await message_card(reads, message_id)
    if row is None:
        raise NotFound("there is no such message", id=message_id)
    if row["store_id"] is not None:
        who.must_reach(row["store_id"])
    return MessageCard(**_shown(row, who))


@router.post(
    "/customers/{customer_id}/messages", status_code=202, responses=problems(NotFound, NoWords, UnsuitableWording)
)
async def send_to_customer(
    customer_id: Annotated[str, Path(max_length=128)],
    body: WriteToCustomerBody,
    who: Correspondent,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
    once: Once,
) -> RequestedReply:
    """Write to one customer with the words of a template. A manager writes in the name of one of their stores."""
    if body.store_id is not None:
        who.must_reach(body.store_id)
    elif who.stores is not None:
        raise Forbidden("say in store_id which of your stores writes", field="store_id")
    if await recipient(reads, customer_id) is None:
        raise NotFound("no such customer is known here", id=customer_id)
    command = WriteToCustomer(
        customer_id=customer_id,
        template_id=body.template_id,
        channel=body.channel,
        store_id=body.store_id,
        at=clock.now(),
    )
    return await once(lambda: write_to_customer(command, log), RequestedReply.of)


def _shown(row: dict[str, Any], who: Who) -> dict[str, Any]:
    if may_see_customers(who):
        return row
    hidden: dict[str, Any] = dict.fromkeys(row.keys() & {"subject", "text"})
    return {**row, **hidden, "address": masked(row["address"])}
