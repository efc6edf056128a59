"""The SMS gateway at the end of the last edge: tells repeats by their key, and may be slow, refuse, or hang up after it took a message."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from till_platform.local.ports import HOST

MOODS = ("well", "errors", "hangs up", "slow")
SLOW_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request that the gateway took: the message's own key, whom it is for and what it says."""

    key: str
    to: str
    text: str
    at: float


class Provider:
    """Takes `POST /messages`. `mood` says how it behaves to three requests in ten; the others go well."""

    def __init__(self, random: Random) -> None:
        self.mood = "well"
        self.calls: list[Call] = []
        self._random = random
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                provider._take(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="provider", daemon=True)
        self._thread.start()
        self.port = int(self._server.server_address[1])

    @property
    def taken(self) -> dict[str, Call]:
        """Return what was delivered: the first call of each key."""
        with self._lock:
            return {call.key: call for call in reversed(self.calls)}

    def close(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: BaseHTTPRequestHandler, body: dict[str, str]) -> None:
        with self._lock:
            mood = self.mood if self._random.random() < 0.3 else "well"
            if mood != "errors":
                self.calls.append(Call(request.headers["Idempotency-Key"], body["to"], body["text"], time.time()))
            number = len(self.calls)
        if mood == "hangs up":
            request.close_connection = True
            return
        if mood == "slow":
            time.sleep(SLOW_SECONDS)
        answer = json.dumps({"id": f"sms-{number}"}).encode()
        try:
            request.send_response(500 if mood == "errors" else 202)
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)
        except OSError:
            request.close_connection = True
