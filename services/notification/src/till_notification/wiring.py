import httpx2

from till_notification.api import messages, rules, templates
from till_notification.commands.seed import seed
from till_notification.domain.message import Message
from till_notification.domain.policy import QuietHours
from till_notification.domain.rule_book import RuleBook
from till_notification.domain.template import Template
from till_notification.figures import FIGURES
from till_notification.projections.consents import Consents
from till_notification.projections.contacts import Contacts
from till_notification.projections.messages import Messages
from till_notification.projections.rules import Rules
from till_notification.projections.templates import Templates
from till_notification.reactions.when_customer_is_registered import WhenCustomerIsRegistered
from till_notification.reactions.when_message_is_requested import WhenMessageIsRequested
from till_notification.reactions.when_order_status_changed import WhenOrderStatusChanged
from till_notification.reactions.when_tier_changed import WhenTierChanged
from till_notification.sending.message_sender import MessageSender
from till_notification.sending.provider import NoProvider, Provider
from till_notification.sending.sms_gateway import SmsGateway
from till_notification.sending.smtp import MailServer, SmtpProvider
from till_notification.settings import NotificationSettings
from till_platform.clock import Clock
from till_platform.parts import Parts
from till_platform.service import Service


def service() -> Service:
    """Messages to customers: what, to whom, when, and whether they agreed."""
    return Service(
        name="notification",
        projections=(Contacts(), Consents(), Messages(), Templates(), Rules()),
        reactions=(
            WhenOrderStatusChanged(),
            WhenTierChanged(),
            WhenCustomerIsRegistered(),
            WhenMessageIsRequested(),
        ),
        figures=FIGURES,
        aggregates=(Message, RuleBook, Template),
        routers=(messages.router, templates.router, rules.router),
        senders=(message_sender,),
        seed=seed,
        settings=NotificationSettings,
    )


def message_sender(parts: Parts) -> MessageSender:
    """Build the one place from which anything leaves the house."""
    settings = parts.settings
    assert isinstance(settings, NotificationSettings)
    return MessageSender(
        parts.log,
        parts.reads,
        parts.clock,
        {"sms": _sms(settings), "email": _email(settings, parts.clock)},
        quiet=QuietHours(settings.quiet_from, settings.quiet_until),
        max_attempts=settings.max_attempts,
    )


def _sms(settings: NotificationSettings) -> Provider:
    if not settings.sms_url:
        return NoProvider("sms")
    client = httpx2.AsyncClient(timeout=settings.provider_seconds, follow_redirects=False)
    token = settings.sms_token.get_secret_value() if settings.sms_token else None
    return SmsGateway(client, settings.sms_url, sender=settings.sms_from, token=token)


def _email(settings: NotificationSettings, clock: Clock) -> Provider:
    if not settings.smtp:
        return NoProvider("email")
    host, _, port = settings.smtp.rpartition(":")
    server = MailServer(
        host=host,
        port=int(port),
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        security=settings.smtp_security,
        timeout=settings.provider_seconds,
    )
    return SmtpProvider(server, sender=settings.mail_from, clock=clock)
