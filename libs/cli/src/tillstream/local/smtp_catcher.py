import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from tillstream.local.outbox import Outbox


class _Keeper:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        message = message_from_bytes(content, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            await asyncio.to_thread(
                self._outbox.keep,
                channel="email",
                sender=str(message["From"] or envelope.mail_from or ""),
                recipient=recipient,
                subject=str(message["Subject"]) if message["Subject"] else None,
                text=_text(message),
            )
        return "250 OK"


def _text(message: EmailMessage) -> str:
    body = message.get_body(preferencelist=("plain", "html"))
    return str(body.get_content()).strip() if body is not None else ""


async def smtp_server(outbox: Outbox, host: str, port: int) -> asyncio.Server:
    """A mail server that takes everything and delivers nothing. What is sent twice is shown twice: mail has no idempotency key."""
    return await asyncio.get_running_loop().create_server(
        lambda: SMTP(_Keeper(outbox), enable_SMTPUTF8=True, hostname="localhost"), host, port
    )
