"""B9: what each safety costs. The worker of B4 with all of them, with one taken out, and with none, on the same topic.

Telemetry is on where it is on in full: figures, probes, spans of every batch, and all of it sent to a collector by OTLP; the collector
here reads and forgets. What is taken out is taken out in `weakened.py`, by replacing it: production code has no switch for it.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from catch_up import EXACT, FULL, Entry, contender
from catching import HERE, OurProgram
from contest import Claim, Contest
from payments import Story, topic_of
from weakened import SAFETIES

from till_platform.testing.infra import Infra

ALL, NONE = "all on", "all off"
WITHOUT = {
    "fence": ("without compare-and-set", "two workers can both count"),
    "repeats": ("without dedupe", "what comes twice counts twice, a hole is not seen"),
    "letters": ("without dead letters", "the first bad record stops all"),
    "telemetry": ("without telemetry", EXACT),
}


class Collector(BaseHTTPRequestHandler):
    """Reads what it is sent and forgets it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def program(out: set[str], endpoint: str) -> OurProgram:
    """Return the worker without these safeties."""
    environment = {"TILL_MAX_BATCH": "5000"}
    if "telemetry" not in out:
        environment["TILL_OTLP_ENDPOINT"] = endpoint
    if not out:
        return OurProgram(environment=environment)
    return OurProgram((sys.executable, HERE / "weakened.py", ",".join(sorted(out))), environment=environment)


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    stage = topic_of(infra.kafka, "safeties", Story(FULL))
    with collector() as endpoint:
        entries = [
            Entry(ALL, EXACT, FULL, program(set(), endpoint), "the worker; TILL_MAX_BATCH=5000, TILL_OTLP_ENDPOINT"),
            *(
                Entry(name, guarantee, FULL, program({safety}, endpoint), "the same without it")
                for safety, (name, guarantee) in WITHOUT.items()
            ),
            Entry(NONE, "none of them", FULL, program(set(SAFETIES), endpoint), "the same without any"),
        ]
        yield Contest(
            "catch-up as in B4 with each safety on and off",
            "events/s",
            [contender(infra, entry, stage) for entry in entries],
            [Claim(NONE, 0.75)],
        )
