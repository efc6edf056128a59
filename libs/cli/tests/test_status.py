import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from typer.testing import CliRunner

from tillstream.local.directory import DataDirectory
from tillstream.local.state import StackState
from tillstream.main import app

PLACE = {"topic": "till.order", "partition": 0, "lag": 7}


@contextmanager
def answering(paths: dict[str, object]) -> Iterator[str]:
    """A process of a service that answers these paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in paths else 404)
            self.end_headers()
            self.wfile.write(json.dumps(paths.get(self.path)).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_how_far_a_service_is_behind_is_asked_of_its_worker_and_both_addresses_are_told(tmp_path: Path) -> None:
    me = psutil.Process(os.getpid())
    with ExitStack() as running:
        api = running.enter_context(answering({"/readyz": {}, "/v1/consumers": {"consumers": []}}))
        worker = running.enter_context(answering({"/v1/consumers": {"consumers": [PLACE]}}))
        StackState(
            data_dir=tmp_path,
            phase="ready",
            supervisor_pid=me.pid,
            supervisor_created=me.create_time(),
            databases={"order": "postgresql://here/till_order"},
            apis={"order": api},
            workers={"order": worker},
        ).write(DataDirectory(tmp_path))
        result = CliRunner().invoke(app, ["status", "--json", "--data-dir", str(tmp_path)])
    order = json.loads(result.stdout)["services"]["order"]
    assert (order["url"], order["worker"], order["healthy"], order["lag"]) == (api, worker, True, [PLACE])
