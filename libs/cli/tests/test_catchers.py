import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from till_platform.local.ports import Ports
from tillstream.local.catchers import Catchers
from tillstream.local.directory import DataDirectory
from tillstream.local.outbox import CaughtMessage, Outbox


@pytest.fixture(scope="module")
def catchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catchers]:
    folder = tmp_path_factory.mktemp("catchers")
    part = Catchers(folder, Ports(folder))
    part.start()
    yield part
    part.stop()


@pytest.fixture
def caught(catchers: Catchers) -> Iterator[Any]:
    outbox = Outbox(DataDirectory(catchers.data_dir).outbox)
    seen = max((message.id for message in outbox.after()), default=0)
    yield lambda: outbox.after(seen)
    ask(catchers, "PUT", "/faults", {"mode": "none"})


def ask(catchers: Catchers, method: str, path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(catchers.sms_url).netloc, timeout=5)
    try:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


def send_sms(catchers: Catchers, text: str, key: str | None = None) -> tuple[int, Any]:
    return ask(catchers, "POST", "/messages", {"to": "+48600000001", "from": "Tillstream", "text": text}, key)


def texts(messages: list[CaughtMessage]) -> list[str]:
    return [message.text for message in messages]


def test_an_sms_is_caught_with_its_recipient_and_text(catchers: Catchers, caught: Any) -> None:
    status, answer = send_sms(catchers, "Курьер будет через час", "k-1")
    assert (status, answer["status"]) == (202, "accepted")
    (message,) = caught()
    assert (message.channel, message.recipient, message.text) == ("sms", "+48600000001", "Курьер будет через час")


def test_the_same_idempotency_key_gets_the_same_answer_and_is_kept_once(catchers: Catchers, caught: Any) -> None:
    assert send_sms(catchers, "once", "k-2") == send_sms(catchers, "once", "k-2")
    assert texts(caught()) == ["once"]


def test_without_a_key_a_repeat_is_a_second_message(catchers: Catchers, caught: Any) -> None:
    assert send_sms(catchers, "twice") != send_sms(catchers, "twice")
    assert texts(caught()) == ["twice", "twice"]


def test_a_gateway_that_drops_its_answer_has_taken_the_message(catchers: Catchers, caught: Any) -> None:
    ask(catchers, "PUT", "/faults", {"mode": "drop_answer", "times": 1})
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        send_sms(catchers, "taken", "k-3")
    assert texts(caught()) == ["taken"]
    assert send_sms(catchers, "taken", "k-3")[0] == 202
    assert texts(caught()) == ["taken"]


def test_a_gateway_that_refuses_has_taken_nothing(catchers: Catchers, caught: Any) -> None:
    ask(catchers, "PUT", "/faults", {"mode": "refuse", "status": 503, "times": 1})
    assert send_sms(catchers, "refused", "k-4")[0] == 503
    assert caught() == []
    assert send_sms(catchers, "refused", "k-4")[0] == 202


def test_a_message_without_text_is_not_taken(catchers: Catchers, caught: Any) -> None:
    assert ask(catchers, "POST", "/messages", {"to": "+48600000001", "from": "T"})[0] == 422
    assert caught() == []


def test_an_email_is_caught_for_each_recipient_with_subject_and_text(catchers: Catchers, caught: Any) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.org", "a@example.org, b@example.org"
    message["Subject"] = "Zamówienie gotowe"
    message.set_content("Twoje zamówienie czeka.\n")
    message.add_alternative("<p>Twoje zamówienie czeka.</p>", subtype="html")
    host, _, port = catchers.smtp.partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as client:
        client.send_message(message)
    assert [(m.channel, m.recipient, m.subject, m.text) for m in caught()] == [
        ("email", "a@example.org", "Zamówienie gotowe", "Twoje zamówienie czeka."),
        ("email", "b@example.org", "Zamówienie gotowe", "Twoje zamówienie czeka."),
    ]


def test_the_outbox_of_a_stack_that_never_ran_is_empty(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "outbox.sqlite").after() == []
