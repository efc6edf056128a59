import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP

from till_events.customer import ConsentGranted, CustomerRegistered
from till_events.ids import new_id
from till_events.order import OrderStatusChanged
from till_platform.testing.neighbours import Neighbours
from till_platform.testing.running import ServiceUnderTest, eventually


def now():
    return datetime.now(UTC)


class Gateway:
    """An SMS gateway that tells repeats by their key. It can take a message and hang up, or answer with an error."""

    def __init__(self):
        self.taken = {}
        self.asked = []
        self.drop_answers = 0
        self.status = 202
        self._lock = threading.Lock()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.take(self, body)

            def log_message(self, *arguments):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/messages"

    def take(self, request, body):
        with self._lock:
            self.asked.append(body["to"])
            status, drop = self.status, self.drop_answers > 0
            if status == 202:
                self.taken.setdefault(request.headers["Idempotency-Key"], body)
            self.drop_answers -= drop
        if drop:
            request.close_connection = True
            return
        answer = json.dumps({"id": f"sms-{len(self.taken)}"}).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def to(self, phone):
        return [body["text"] for body in self.taken.values() if body["to"] == phone]

    def times_asked(self, phone):
        return self.asked.count(phone)

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Mailbox:
    """A mail server that takes everything."""

    def __init__(self):
        self.taken = []
        self._loop = asyncio.new_event_loop()
        listening = self._loop.create_server(lambda: SMTP(self, hostname="localhost"), "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(listening)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        self.taken.append((envelope.rcpt_tos[0], envelope.content.decode()))
        return "250 OK"

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(self._server.wait_closed())
        self._loop.close()


class Town:
    """A chain in which the notification service lives: its neighbours, its gateway, its mail server."""

    def __init__(self, notification, neighbours, gateway, mailbox):
        self.notification = notification
        self.gateway = gateway
        self.mailbox = mailbox
        self.neighbours = neighbours
        self._clients = {}

    def api(self, *roles, stores="*"):
        """A client of the service's API with a token for these roles, administrator by default."""
        for_whom = (roles, tuple(stores))
        if for_whom not in self._clients:
            self._clients[for_whom] = self.notification.client(*roles, stores=stores)
        return self._clients[for_whom]

    def hang_up(self):
        for client in self._clients.values():
            client.close()

    def customer_who(self, *, agrees_to=("transactional",), zone=None, locale="en"):
        """Somebody with a phone and a mail address, known to the service, who agreed to be written to for these purposes."""
        customer_id, number = new_id(), new_id()[-9:]
        phone, email = f"+48{int(number, 16) % 10**9:09d}", f"{number}@example.com"
        self.neighbours.tell(
            CustomerRegistered(
                occurred_at=now() - timedelta(days=30),
                customer_id=customer_id,
                name="Anna Kowalska",
                phones=(phone,),
                emails=(email,),
                locale=locale,
                zone=zone or _zone_where_it_is(12),
            ),
            *(
                ConsentGranted(
                    occurred_at=now(),
                    customer_id=customer_id,
                    purpose=purpose,
                    channel=channel,
                    address=address,
                    wording="v1",
                    collected_from="web",
                )
                for purpose in agrees_to
                for channel, address in (("sms", phone), ("email", email))
            ),
        )
        heard = "SELECT count(*) FROM consents.consents WHERE customer_id = %s"
        eventually(lambda: self.notification.rows(heard, [customer_id])[0][0] == 2 * len(agrees_to))
        return customer_id, phone, email

    def order_moves(self, customer_id, *, to="delivery", at=None, **changed):
        """An order of the customer moves on now, or moved on at another time."""
        at = at or now()
        order_id = new_id()
        event = {
            "occurred_at": at,
            "order_id": order_id,
            "number": "S1-17",
            "store_id": "S1",
            "from_status": "assembly",
            "to_status": to,
            "from_phase": "assembly",
            "to_phase": to,
            "workflow_version": 1,
            "customer_id": customer_id,
            "promised_to": at + timedelta(minutes=60),
        }
        self.neighbours.tell(OrderStatusChanged(**{**event, **changed}))
        return order_id

    def outcomes(self, order_id, *, but="pending"):
        """What became of both messages about an order, by channel, once that is known."""
        query = "SELECT channel, outcome, reason FROM messages.messages WHERE order_id = %s AND outcome <> %s"

        def known():
            found = {
                channel: (outcome, reason)
                for channel, outcome, reason in self.notification.rows(query, [order_id, but])
            }
            return found if len(found) == 2 else None

        return eventually(known)


def _zone_where_it_is(hour):
    """A zone without summer time in which it is this hour now."""
    offset = (hour - now().hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@pytest.fixture(scope="session")
def town(infra, issuer, tmp_path_factory):
    gateway, mailbox = Gateway(), Mailbox()
    directory, where = (
        tmp_path_factory.mktemp("notification"),
        {"TILL_SMS_URL": gateway.url, "TILL_SMTP": mailbox.address},
    )
    with Neighbours(infra, f"t{uuid4().hex[:8]}") as neighbours:
        notification = ServiceUnderTest("notification", infra, neighbours.namespace, issuer, directory, **where).start()
        town = Town(notification, neighbours, gateway, mailbox)
        yield town
        town.hang_up()
        notification.stop()
    mailbox.close()
    gateway.close()


@pytest.fixture
def zone_where_it_is():
    return _zone_where_it_is
