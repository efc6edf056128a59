"""A running stack as a client sees it: its services over HTTP, its databases, its topics, and the services' own commands."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from till_events.topics import topic_of
from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.doors import Doors
from tillstream.local.issuer import AUDIENCE, ISSUER, Issuer, Role
from tillstream.local.services import installed_services
from tillstream.local.state import StackState

if TYPE_CHECKING:
    import httpx2

    from till_platform.settings import KafkaSettings

HOUR = 60
_EXIT_OF_STATUS = {
    400: Exit.USAGE,
    401: Exit.FORBIDDEN,
    403: Exit.FORBIDDEN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.USAGE,
    415: Exit.USAGE,
    422: Exit.USAGE,
    502: Exit.UNAVAILABLE,
    503: Exit.UNAVAILABLE,
}
_OF_EVERY_PROBLEM = {"type", "title", "status", "detail", "instance", "errors"}


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

    def chosen(self, names: Sequence[str] | None) -> list[str]:
        """Return the services of these names, or all of them; raise CommandFailed for one that does not run."""
        for name in names or ():
            self._need(name, self.state.apis)
        return sorted(set(names)) if names else self.services

    def database(self, service: str) -> str:
        """Return the address of a service's database."""
        return self._need(service, self.state.databases)

    def topic(self, service: str) -> str:
        """Return the topic of a service's log."""
        return topic_of(service, self.state.namespace)

    @property
    def kafka(self) -> "KafkaSettings":
        """How this program reaches Kafka: where the doors are closed, as its administrator."""
        return kafka_of(self.state, self.directory)

    def client(self, service: str, role: Role = Role.ADMIN, *, subject: str = "till") -> "httpx2.Client":
        """Return a client for the API of a service, with a token for an hour."""
        import httpx2  # slow to load, and not needed by every command

        token = self._issuer.sign(role, None, subject, HOUR)
        return httpx2.Client(
            base_url=self._need(service, self.state.apis),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(60),
        )

    def settings(self, service: str) -> dict[str, str]:
        """Return the settings under which the service itself runs."""
        state = self.state
        return {
            "environment": "local",
            "namespace": state.namespace,
            "partitions": str(state.partitions),
            "kafka": state.kafka,
            "pg": self.database(service),
            "redis": state.redis,
            "auth_issuer": ISSUER,
            "auth_audience": AUDIENCE,
            "auth_jwks_file": str(self.directory.jwks.absolute()),
            "log_level": "WARNING",
            **(Doors(self.directory).of_service(service, state.namespace) if state.secure else {}),
        }

    def run(
        self,
        service: str,
        *arguments: str,
        on_stderr: Callable[[str], None] | None = None,
        expected: Collection[int] = (0, 1),
        administrator: bool = False,
    ) -> tuple[int, str]:
        """Run a command of a service (`till-order verify`) and return its exit code and what it printed.

        Where Kafka's doors are closed it goes in as the service, or as the `administrator`.

        Raises CommandFailed with the last it complained of when it ends in another way than `expected`.
        """
        settings = self.settings(service)
        if administrator and self.state.secure:
            settings.update(Doors(self.directory).of_administrator())
        program = Path(sys.executable).parent / f"till-{service}"
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            with subprocess.Popen(  # noqa: S603 - our own console script
                [str(program), *arguments],
                env={**os.environ, **{f"TILL_{name.upper()}": value for name, value in settings.items()}},
                stdout=printed,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stderr is not None
                complaints: list[str] = []
                try:
                    for line in process.stderr:
                        if on_stderr:
                            on_stderr(line)
                        complaints = [*complaints[-2:], line]
                except BaseException:  # interrupted: what runs for us must not outlive us
                    process.terminate()
                    raise
            if process.returncode not in expected:
                raise CommandFailed(f"till-{service} {' '.join(arguments)} failed", "".join(complaints).strip())
            printed.seek(0)
            return process.returncode, printed.read()

    def _need(self, service: str, known: Mapping[str, str]) -> str:
        found = known.get(service)
        if found is not None:
            return found
        if service in installed_services():
            raise CommandFailed(
                f"{service} does not run; what does: {', '.join(self.services)}",
                "till down && till up -d",
                Exit.UNAVAILABLE,
            )
        raise CommandFailed(
            f"there is no service {service}", f"there are: {', '.join(installed_services())}", Exit.NOT_FOUND
        )


def kafka_of(state: StackState, directory: DataDirectory) -> "KafkaSettings":
    """Return how to reach the Kafka of a stack, as its administrator where its doors are closed."""
    from till_platform.settings import KafkaSettings

    opened = Doors(directory).of_administrator() if state.secure else {}
    password = opened.get("kafka_password_file")
    return KafkaSettings.read(
        service="till",
        kafka=state.kafka,
        partitions=state.partitions,
        replication=1,
        namespace=state.namespace,
        kafka_protocol=opened.get("kafka_protocol", "PLAINTEXT"),
        kafka_user=opened.get("kafka_user"),
        kafka_password=Path(password).read_text() if password else None,
        kafka_ca_file=opened.get("kafka_ca_file"),
    )


def ask(client: "httpx2.Client", method: str, path: str, **request: Any) -> dict[str, Any]:
    """Return the JSON object that a service answers with, an empty one if it has nothing to say.

    Raises CommandFailed with its reason when it refuses or does not answer.
    """
    import httpx2

    try:
        answer = client.request(method, path, **request)
    except httpx2.TransportError as error:
        raise no_answer(client, error) from error
    if not answer.is_success:
        raise refusal(answer)
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


def refusal(answer: "httpx2.Response") -> CommandFailed:
    """Return what a service says about a request it refused: the detail of its problem document. The answer must have been read."""
    try:
        problem = answer.json()
        detail = "; ".join(
            [problem["detail"], *(f"{one['field']}: {one['reason']}" for one in problem.get("errors", ()))]
        )
        facts = "; ".join(f"{name}: {_told(value)}" for name, value in problem.items() if name not in _OF_EVERY_PROBLEM)
    except (ValueError, LookupError, TypeError):
        detail, facts = f"{answer.request.url} answered {answer.status_code}", ""
    return CommandFailed(detail, facts, _EXIT_OF_STATUS.get(answer.status_code, Exit.FAILURE))


def _told(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def no_answer(client: "httpx2.Client", error: Exception) -> CommandFailed:
    """Return what is to be said when a service is not there, or went away in the middle."""
    return CommandFailed(f"{client.base_url} does not answer: {type(error).__name__}", "till status", Exit.UNAVAILABLE)
