"""Other systems that have no Kafka: they follow a service's log as server-sent events, or are called."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook

from till_platform.testing.running import eventually

from .conftest import open_store, receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SOLD = "tillstream.order.PurchaseRecorded.v1"


@pytest.fixture(scope="module")
def order(chain, listener):
    service = chain("order", TILL_WEBHOOK_HOSTS=listener.address).start()
    with service.client() as client:
        open_store(client)
    record(service, [receipt(f"early-{number}") for number in range(5)])
    return service


def public(order) -> list[tuple[int, str]]:
    return order.rows("SELECT position, id::text FROM log WHERE public ORDER BY position")


def received(lines: Iterator[str]) -> Iterator[tuple[int, dict]]:
    """Read events as a browser does."""
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            found[name] = value.strip()
        elif "data" in found:
            yield int(found["id"]), json.loads(found["data"])
            found = {}


def follow(order, *, last: int | None = None, roles=("integration",), **query) -> list[tuple[int, dict]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with (
        order.client(*roles) as client,
        client.stream("GET", "/v1/events", params={"until_end": True, **query}, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(received(answer.iter_lines()))


def test_whoever_follows_from_the_beginning_gets_every_public_event_in_order_as_cloudevents(order):
    found = follow(order, after=0)
    assert [(position, event["id"]) for position, event in found] == public(order)
    message = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(found[-1][1]).encode())
    event = from_structured(message, JSONFormat())
    assert (event.get_type(), event.get_data()["customer_id"]) == (SOLD, "early-4")


def test_whoever_comes_back_with_the_last_id_misses_nothing_and_gets_nothing_twice(order):
    everything = public(order)
    found = follow(order, last=everything[2][0])
    assert [(position, event["id"]) for position, event in found] == everything[3:]
    assert follow(order, last=everything[-1][0]) == []


def test_a_reader_of_some_types_gets_those(order):
    found = follow(order, after=0, type=[SOLD])
    assert {event["type"] for _, event in found} == {SOLD}
    assert len(found) == len(order.rows("SELECT 1 FROM log WHERE type = %s", [SOLD]))


def test_an_event_reaches_whoever_waits_for_it_and_a_service_that_is_stopped_ends_the_stream(chain, order):
    got: list[dict] = []
    connected, ended = threading.Event(), threading.Event()

    def wait() -> None:
        with order.client("integration") as client, client.stream("GET", "/v1/events", timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            connected.set()
            got.extend(event for _, event in received(lines))
        ended.set()

    threading.Thread(target=wait).start()
    assert connected.wait(20)
    record(order, [receipt("now")])
    eventually(lambda: [event["data"]["customer_id"] for event in got] == ["now"])
    order.signal("all", signal.SIGTERM)
    assert ended.wait(8), "a stream kept the service from ending"
    order.kill()
    order.start()


@pytest.mark.parametrize("roles", [("cashier",), ("manager",), ("analyst",), ("marketer",)])
def test_who_works_in_the_shop_does_not_follow_the_log(order, roles):
    with order.client(*roles) as client:
        assert client.get("/v1/events", params={"after": 0, "until_end": True}).status_code == 403


def test_a_token_that_reaches_some_stores_does_not_follow_the_log_of_all(order):
    with order.client("integration", stores=["S1"]) as client:
        assert client.get("/v1/events", params={"after": 0, "until_end": True}).status_code == 403
        nonsense = {"Last-Event-ID": "x"}
    with order.client("integration") as client:
        assert client.get("/v1/events", headers=nonsense).status_code == 422


class Listener:
    """A receiver: verifies what it gets by a library of the standard, and answers as it is told."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.status = 200
        self.got: list[dict] = []
        self.refused = 0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if listener.status == 200:
                    for secret in listener.secrets:
                        Webhook(secret).verify(body, dict(self.headers))
                    listener.got.append({"webhook-id": self.headers["webhook-id"], **json.loads(body)})
                else:
                    listener.refused += 1
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def listener():
    made = Listener()
    yield made
    made.close()


def ids(events: list[dict]) -> list[str]:
    return [event["webhook-id"] for event in events]


def test_a_receiver_is_called_with_every_event_in_order_signed_and_again_when_it_refused(order, listener):
    url = f"http://{listener.address}/in"
    with order.client("integration") as client:
        added = client.put("/v1/webhooks/crm", json={"url": url, "after": 0})
        assert added.status_code == 201, added.text
        listener.secrets = [added.json()["secret"]]
        assert "secret" not in client.put("/v1/webhooks/crm", json={"url": url}).json()
        assert "secret" not in client.get("/v1/webhooks").text
        eventually(lambda: ids(listener.got) == [event_id for _, event_id in public(order)])
        assert all(event["id"] == event["webhook-id"] for event in listener.got)

        listener.status = 500
        record(order, [receipt("refused")])
        eventually(lambda: listener.refused)
        found = eventually(lambda: (one := client.get("/v1/webhooks/crm").json())["failing_since"] and one)
        assert found["last_attempts"][0]["status"] == 500
        assert found["disabled_at"] is None

        order.kill()  # and in the middle of it all everything is killed
        order.start()
        listener.status = 200
        client.post("/v1/webhooks/crm/enable")
        eventually(lambda: ids(listener.got)[-1] == public(order)[-1][1])
        assert ids(listener.got) == [event_id for _, event_id in public(order)]


def test_what_was_recorded_while_it_was_disabled_comes_later_and_everything_can_be_sent_again(order, listener):
    with order.client("integration") as client:
        halted = client.post("/v1/webhooks/crm/disable", json={"why": "their move"}).json()
        assert halted["disabled_why"] == "their move"
        listener.got.clear()
        record(order, [receipt("waits")])
        assert client.post("/v1/webhooks/crm/enable").json()["disabled_at"] is None
        eventually(lambda: [event["data"]["customer_id"] for event in listener.got] == ["waits"])

        listener.got.clear()
        listener.secrets.append(client.post("/v1/webhooks/crm/rotate").json()["secret"])  # both are good for a day
        client.post("/v1/webhooks/crm/replay", json={"after": 0})
        eventually(lambda: ids(listener.got) == [event_id for _, event_id in public(order)])


def test_a_receiver_that_says_that_it_is_gone_is_not_called_any_more(order, listener):
    with order.client("integration") as client:
        listener.status = 410
        record(order, [receipt("gone")])
        eventually(lambda: client.get("/v1/webhooks/crm").json()["disabled_at"])
        assert "gone" in client.get("/v1/webhooks/crm").json()["disabled_why"]
        listener.status = 200
        assert client.delete("/v1/webhooks/crm").status_code == 204
        assert client.get("/v1/webhooks/crm").status_code == 404


def test_a_receiver_that_nobody_trusts_is_not_called_on_this_machine(order, listener):
    """Names that lead inside are taken, since who knows where they lead tomorrow; the call itself is refused."""
    port = listener.address.rpartition(":")[2]
    listener.got.clear()
    with order.client("integration") as client:
        assert client.put("/v1/webhooks/inside", json={"url": f"http://localhost:{port}/"}).status_code == 422
        assert client.put("/v1/webhooks/inside", json={"url": "https://169.254.169.254/"}).status_code == 422
        named = {"url": f"https://localhost:{port}/", "after": 0}
        assert client.put("/v1/webhooks/inside", json=named).status_code == 201
        attempts = eventually(lambda: client.get("/v1/webhooks/inside").json()["last_attempts"])
        assert attempts[0]["error"] == "Refused"
        client.delete("/v1/webhooks/inside")
    with order.client("manager") as client:
        assert client.get("/v1/webhooks").status_code == 403
    assert listener.got == []
