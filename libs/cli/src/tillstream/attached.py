"""A running stack as a client sees it: its services over HTTP, its databases, its topics, and the services' own commands."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2

from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.issuer import AUDIENCE, ISSUER, Issuer, Role
from tillstream.local.state import StackState

HOUR = 60


class Attached:
    """Whatever `till up` runs from a data directory. Raises CommandFailed when nothing does."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = DataDirectory(data_dir)
        self.state = StackState.read(self.directory)
        if not self.state.running:
            raise CommandFailed(f"nothing runs from {data_dir}", "till up -d", Exit.UNAVAILABLE)
        self._issuer = Issuer(self.directory.issuer_key, self.directory.jwks)

    @property
    def services(self) -> list[str]:
        """The services that run."""
        return sorted(self.state.apis)

    def client(self, service: str, role: Role = Role.ADMIN, *, subject: str = "till") -> httpx2.Client:
        """Return a client for the API of a service, with a token for an hour."""
        url = self.state.apis.get(service)
        if url is None:
            raise CommandFailed(f"{service} does not run", f"till up --only {service}", Exit.UNAVAILABLE)
        token = self._issuer.sign(role, None, subject, HOUR)
        return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=httpx2.Timeout(60))

    def environment(self, service: str) -> Mapping[str, str]:
        """Return the settings a command of the service needs."""
        state = self.state
        return {
            **os.environ,
            "TILL_PARTITIONS": str(state.partitions),
            "TILL_ENVIRONMENT": "local",
            "TILL_KAFKA": state.kafka,
            "TILL_PG": state.databases[service],
            "TILL_REDIS": state.redis,
            "TILL_AUTH_ISSUER": ISSUER,
            "TILL_AUTH_AUDIENCE": AUDIENCE,
            "TILL_AUTH_JWKS_FILE": str(self.directory.jwks.absolute()),
            "TILL_LOG_LEVEL": "WARNING",
        }

    def run(self, service: str, *arguments: str, on_stderr: Callable[[str], None] | None = None) -> tuple[int, str]:
        """Run a command of a service (`till-order verify`) and return its exit code and what it printed."""
        program = Path(sys.executable).parent / f"till-{service}"
        process = subprocess.Popen(  # noqa: S603 - our own console script
            [str(program), *arguments],
            env=dict(self.environment(service)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stdout is not None
        complaints = []
        for line in process.stderr:
            if on_stderr:
                on_stderr(line)
            complaints.append(line)
        printed = process.stdout.read()
        code = process.wait()
        if code not in {0, 1}:
            raise CommandFailed(f"till-{service} {' '.join(arguments)} failed", "".join(complaints[-3:]).strip())
        return code, printed
