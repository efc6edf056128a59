"""What the reactions of this service have in common: they ask for the messages that the rules name, and no more than ask."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from till_events.ids import CustomerId, OrderId, StoreId, message_id
from till_events.notification import MessageRequested, NotificationRulePublished
from till_notification.domain.message import Message, is_history
from till_notification.domain.rule_book import RuleBook
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted

EFFECT = "message"


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What a happening tells one customer. `history` is what is old whatever its date says, `after` how long to wait before telling."""

    customer_id: CustomerId
    values: dict[str, str] = field(default_factory=dict)
    order_id: OrderId | None = None
    store_id: StoreId | None = None
    promised_from: datetime | None = None
    promised_to: datetime | None = None
    history: bool = False
    after: timedelta = timedelta(0)


class AsksForMessages(Reaction):
    """Asks for a message per rule and channel, once per happening, customer, template and channel.

    What is history is suppressed on the spot and never reaches a sender: whoever brings in a year of receipts writes to nobody.
    """

    of: ClassVar[Sequence[type[Any]]]

    @abstractmethod
    def news(self, fact: Fact[Any]) -> News | None:
        """Return what the happening tells, or nothing if it concerns nobody we know."""

    @abstractmethod
    def rules(self, fact: Fact[Any], book: RuleBook) -> Sequence[NotificationRulePublished]:
        """Return the rules that answer the happening."""

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        return [(RuleBook, RuleBook.IDENTITY)] if self.news(fact) else []

    def also_wants(self, fact: Fact[Any], unit: Unit) -> Iterable[Wanted]:
        if news := self.news(fact):
            yield from ((Message, identity) for identity, _, _ in self._messages(fact, news, unit))

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        news = self.news(fact)
        if news is None:
            return
        for identity, rule, channel in self._messages(fact, news, unit):
            message = unit.get(Message, identity)
            wanted = _wanted(fact, news, identity, rule, channel, unit.now)
            if not message.request(wanted):
                continue
            if news.history or is_history(
                occurred_at=fact.event.occurred_at,
                recorded_at=fact.recorded_at,
                not_after=wanted.not_after,
                now=unit.now,
            ):
                message.suppress("stale", at=unit.now)
            else:
                ask_to_send(unit, identity, after=news.after)

    def _messages(
        self, fact: Fact[Any], news: News, unit: Unit
    ) -> Iterator[tuple[str, NotificationRulePublished, str]]:
        for rule in self.rules(fact, unit.get(RuleBook, RuleBook.IDENTITY)):
            for channel in rule.channels:
                yield message_id(fact.id, news.customer_id, rule.template_id, channel), rule, channel


def _wanted(
    fact: Fact[Any], news: News, identity: str, rule: NotificationRulePublished, channel: str, now: datetime
) -> MessageRequested:
    # A clock that runs ahead in some shop must not make a message of use for longer.
    known_at = min(fact.event.occurred_at, fact.recorded_at)
    return MessageRequested(
        occurred_at=now,
        message_id=identity,
        customer_id=news.customer_id,
        channel=channel,
        purpose=rule.purpose,
        template_id=rule.template_id,
        rule_id=rule.rule_id,
        trigger_event_id=fact.id,
        trigger_type=fact.type,
        not_after=known_at + timedelta(minutes=rule.stale_after_minutes),
        urgent=rule.urgent,
        order_id=news.order_id,
        store_id=news.store_id,
        promised_from=news.promised_from,
        promised_to=news.promised_to,
        values=news.values,
    )


def ask_to_send(unit: Unit, identity: str, *, after: timedelta = timedelta(0)) -> None:
    """Ask for a message to be sent. Ids only: what it says and where it goes is looked up when it goes."""
    unit.effect(EFFECT, identity, {"message_id": identity}, not_before=unit.now + after)
