"""E-mail, by the chain's mail server."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from ssl import SSLError
from typing import Literal

import aiosmtplib

from till_notification.sending.provider import NoAnswer, Outgoing, Provider, Refused
from till_platform.clock import Clock

Security = Literal["opportunistic", "starttls", "implicit"]


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed over. `opportunistic` encrypts when the server offers it, the others insist."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    security: Security = "opportunistic"
    timeout: float = 5.0


class SmtpProvider(Provider):
    """Hands messages to a mail server.

    SMTP knows no idempotency key: if we die between the server's "250" and our own record of it, the mail goes twice. Both bear the same
    Message-ID, made of the message's id, so that mail programs fold them into one.
    """

    def __init__(self, server: MailServer, *, sender: str, clock: Clock) -> None:
        self._server = server
        self._sender = sender
        self._clock = clock

    async def send(self, outgoing: Outgoing) -> str | None:
        mail = self._mail(outgoing)
        server = self._server
        try:
            await aiosmtplib.send(
                mail,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.security == "implicit",
                start_tls={"opportunistic": None, "starttls": True, "implicit": False}[server.security],
                timeout=server.timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _judged(max(each.code for each in refused.recipients)) from None
        except aiosmtplib.SMTPAuthenticationError:
            raise NoAnswer("smtp-login") from None
        except aiosmtplib.SMTPResponseException as refused:
            raise _judged(refused.code) from None
        except aiosmtplib.SMTPTimeoutError:
            raise NoAnswer("smtp-timeout") from None
        except aiosmtplib.SMTPNotSupported:
            raise Refused("smtp-not-supported") from None
        except (aiosmtplib.SMTPException, SSLError, OSError):
            raise NoAnswer("smtp-unreachable") from None
        except ValueError:
            raise Refused("smtp-address") from None
        return str(mail["Message-ID"])

    def _mail(self, outgoing: Outgoing) -> EmailMessage:
        mail = EmailMessage()
        try:
            mail["From"] = self._sender
            mail["To"] = outgoing.address
            mail["Subject"] = outgoing.subject or ""
        except (ValueError, IndexError):
            raise Refused("smtp-address") from None
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = f"<{outgoing.message_id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(outgoing.text)
        return mail


def _judged(code: int) -> NoAnswer | Refused:
    """RFC 5321: 4yz is a failure for now, 5yz one for good."""
    return Refused(f"smtp-{code}") if code >= 500 else NoAnswer(f"smtp-{code}")
