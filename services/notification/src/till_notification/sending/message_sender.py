"""The moment of sending: everything that decides about a message is looked at here, as it stands now."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from till_events.notification import MessageRequested, TemplatePublished
from till_notification.commands.wordings import words_for
from till_notification.domain.message import Message
from till_notification.domain.policy import Defer, QuietHours, Send, Suppress, decide
from till_notification.domain.promise import promise_in_words
from till_notification.domain.recipient import Recipient
from till_notification.domain.template import Words, fill_in_words
from till_notification.domain.wording import UnsayableWording
from till_notification.projections.contacts import recipient
from till_notification.projections.messages import was_overtaken
from till_notification.sending.provider import NoAnswer, Outgoing, Provider, Refused
from till_platform.clock import Clock
from till_platform.effects.sender import Effect, Postpone, Sender, TryAgain
from till_platform.eventstore.log import Log
from till_platform.projections.reads import Reads

HEARSAY = timedelta(minutes=1)
"""How long we wait to hear of a customer at all: topics are read side by side, so an order may be known before who placed it."""
ASK_AGAIN = timedelta(seconds=2)


class MessageSender(Sender):
    """Sends messages: decides, finds the words, hands them to the channel's provider, records what became of it.

    The record and the end of the effect are one transaction. So a message is settled once, whoever else tries at the same time; and if we
    die in between, the next attempt bears the same id.
    """

    kind: ClassVar[str] = "message"
    at_once: ClassVar[int] = 32

    def __init__(
        self,
        log: Log,
        reads: Reads,
        clock: Clock,
        providers: Mapping[str, Provider],
        *,
        quiet: QuietHours,
        max_attempts: int,
    ) -> None:
        self._log = log
        self._reads = reads
        self._clock = clock
        self._providers = providers
        self._quiet = quiet
        self._max_attempts = max_attempts

    async def deliver(self, effect: Effect) -> None:
        """Settle one message; raise `Postpone` until morning, or `TryAgain` when the provider does not answer."""
        message = await self._log.load(Message, effect.payload["message_id"])
        if message.settled:
            await self._log.save(message, done=effect.id)
            return
        wanted = message.request_made
        now = self._clock.now()
        to = await self._recipient(wanted, now)
        overtaken = message.state == "deferred" and await was_overtaken(self._reads, wanted)
        decision = decide(wanted, to, now=now, quiet=self._quiet, overtaken=overtaken)
        match decision:
            case Suppress(reason) if effect.attempts > 1:
                # An attempt before this one may have reached the customer: nobody can say any more that it was not sent.
                await self._settle(effect, message, lambda it: it.fail(reason, attempts=effect.attempts - 1, at=now))
            case Suppress(reason):
                await self._settle(effect, message, lambda it: it.suppress(reason, at=now))
            case Defer(until):
                message.defer(until, at=now)
                await self._log.save(message)
                raise Postpone(until)
            case Send():
                await self._send(effect, message, to, decision, now)

    async def _recipient(self, wanted: MessageRequested, now: datetime) -> Recipient:
        known = await recipient(self._reads, wanted.customer_id)
        if known is None and now < min(wanted.occurred_at + HEARSAY, wanted.not_after):
            raise Postpone(now + ASK_AGAIN)
        return known or Recipient(customer_id=wanted.customer_id)

    async def _send(self, effect: Effect, message: Message, to: Recipient, decision: Send, now: datetime) -> None:
        wanted = message.request_made
        template = await words_for(self._log, wanted.template_id, wanted.channel, to.locale)
        if template is None:
            await self._settle(effect, message, lambda it: it.suppress("no_template", at=now))
            return
        try:
            words = _say(template, wanted, to, now)
            provider_message_id = await self._hand_over(wanted, decision.address, words)
        except UnsayableWording:
            await self._settle(effect, message, lambda it: it.fail("wording", attempts=effect.attempts, at=now))
        except Refused as refused:
            code = refused.code
            await self._settle(effect, message, lambda it: it.fail(code, attempts=effect.attempts, at=now))
        except NoAnswer as unanswered:
            code = unanswered.code
            if effect.attempts < self._max_attempts:
                raise TryAgain(code) from None
            await self._settle(effect, message, lambda it: it.fail(code, attempts=effect.attempts, at=now))
        else:
            await self._settle(
                effect,
                message,
                lambda it: it.sent(
                    words,
                    address=decision.address,
                    consent_event_id=decision.consent_event_id,
                    template_version=template.version,
                    locale=template.locale,
                    provider_message_id=provider_message_id,
                    at=now,
                ),
            )

    async def _hand_over(self, wanted: MessageRequested, address: str, words: Words) -> str | None:
        outgoing = Outgoing(message_id=wanted.message_id, address=address, text=words.text, subject=words.subject)
        return await self._providers[wanted.channel].send(outgoing)

    async def _settle(self, effect: Effect, loaded: Message, record: Callable[[Message], None]) -> None:
        """Record what became of the message and end the effect; if somebody else settled it meanwhile, their word stands."""
        at_hand = [loaded]

        async def settle() -> None:
            message = at_hand.pop() if at_hand else await self._log.load(Message, loaded.identity)
            if not message.settled:
                record(message)
            await self._log.save(message, done=effect.id)

        await self._log.retrying(settle)


def _say(template: TemplatePublished, wanted: MessageRequested, to: Recipient, now: datetime) -> Words:
    """Fill in the words, with the promised time as it reads at this moment on the customer's wall."""
    values = {"name": to.name, **wanted.values}
    if wanted.order_id is not None:
        values["promised"] = promise_in_words(
            wanted.promised_from, wanted.promised_to, now=now, zone=to.zone, locale=template.locale
        )
    return fill_in_words(template, values)
