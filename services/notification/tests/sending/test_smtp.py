"""E-mail, over a real connection to a server on this machine."""

import asyncio
import socket
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import SMTP

from till_notification.sending.provider import NoAnswer, Outgoing, Refused
from till_notification.sending.smtp import MailServer, SmtpProvider
from till_platform.clock import Clock

MAIL = Outgoing(
    message_id="m-1", address="anna@example.com", subject="Zamówienie w drodze", text="Kurier będzie o 16:00."
)


class Noon(Clock):
    def now(self):
        return datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Postmaster:
    """Takes mail, or answers as told."""

    def __init__(self):
        self.taken = []
        self.says = {}

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if "DATA" in self.says:
            return self.says["DATA"]
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
async def postmaster():
    keeper = Postmaster()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, enable_SMTPUTF8=True, hostname="localhost"), "127.0.0.1", 0
    )
    keeper.port = server.sockets[0].getsockname()[1]
    yield keeper
    server.close()
    await server.wait_closed()


def provider(port, **settings):
    return SmtpProvider(
        MailServer(host="127.0.0.1", port=port, **settings), sender="Shop <shop@example.org>", clock=Noon()
    )


async def test_a_mail_arrives_as_it_was_written(postmaster):
    await provider(postmaster.port).send(MAIL)
    (mail,) = postmaster.taken
    assert (mail["Subject"], mail["To"], mail["From"]) == (MAIL.subject, MAIL.address, "Shop <shop@example.org>")
    assert mail.get_content().strip() == MAIL.text
    assert mail["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_two_attempts_bear_one_message_id_so_that_they_can_be_told_for_one(postmaster):
    given = [await provider(postmaster.port).send(MAIL) for _ in range(2)]
    assert given == ["<m-1@example.org>"] * 2
    assert [mail["Message-ID"] for mail in postmaster.taken] == given


@pytest.mark.parametrize(
    ("stage", "answer", "error", "code"),
    [
        ("RCPT", "550 anna@example.com is not known", Refused, "smtp-550"),
        ("RCPT", "451 try later", NoAnswer, "smtp-451"),
        ("DATA", "554 no", Refused, "smtp-554"),
        ("DATA", "452 full", NoAnswer, "smtp-452"),
    ],
)
async def test_what_the_server_says_decides_whether_to_try_again_and_its_words_are_not_kept(
    postmaster, stage, answer, error, code
):
    postmaster.says[stage] = answer
    with pytest.raises(error) as raised:
        await provider(postmaster.port).send(MAIL)
    assert raised.value.code == code


async def test_a_server_that_is_not_there_is_no_answer():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NoAnswer) as unanswered:
        await provider(port).send(MAIL)
    assert unanswered.value.code == "smtp-unreachable"


async def test_a_server_that_says_nothing_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(NoAnswer) as unanswered:
        await provider(mute.getsockname()[1], timeout=0.2).send(MAIL)
    assert unanswered.value.code == "smtp-timeout"


async def test_a_server_without_encryption_gets_nothing_when_it_is_insisted_on(postmaster):
    with pytest.raises((NoAnswer, Refused)):
        await provider(postmaster.port, security="starttls").send(MAIL)
    assert postmaster.taken == []


@pytest.mark.parametrize("address", ["anna@example.com\r\nBcc: all@example.com", "", "no address"])
async def test_what_is_no_address_is_refused(postmaster, address):
    with pytest.raises(Refused):
        await provider(postmaster.port).send(Outgoing(message_id="m-1", address=address, subject="Hi", text="Hi"))
    assert postmaster.taken == []
