"""Stands in for `till-<name> all --migrate`: answers /readyz, remembers in its database how often it was migrated."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def migrate() -> None:
    with psycopg.connect(os.environ["TILL_PG"]) as database:
        database.execute("CREATE TABLE IF NOT EXISTS migrations (at timestamptz DEFAULT now())")
        database.execute("INSERT INTO migrations DEFAULT VALUES")


if "--migrate" in sys.argv:
    migrate()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("environment", os.environ["TILL_ENVIRONMENT"], os.environ["TILL_KAFKA"], flush=True)  # noqa: T201 -- it is a program
ThreadingHTTPServer((os.environ["TILL_HOST"], int(os.environ["TILL_PORT"])), Ready).serve_forever()
