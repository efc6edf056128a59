import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import TracebackType
from typing import Self

from till_platform.local.jars import OnProgress
from till_platform.local.kafka import Kafka, find_java
from till_platform.local.part import Part
from till_platform.local.ports import Ports
from till_platform.local.postgres import Postgres
from till_platform.local.problem import LocalProblem
from till_platform.local.secure_kafka import SecureKafka
from till_platform.local.settings import LocalSettings
from till_platform.local.valkey import Valkey

NEEDED_BYTES = 500_000_000


class LocalStack:
    """A real PostgreSQL, Valkey and Kafka for one machine, kept in one directory, any number of them side by side.

    `with LocalStack(directory) as stack:` gives `stack.kafka` (host:port), `stack.redis` (URL), `stack.postgres_admin_dsn` and
    `stack.database(name)`. The parts themselves (`kafka_part`, `postgres_part`, `valkey_part`) can be killed, frozen, thawed and started
    again, data and address stay. A `secure` one lets nobody use Kafka whom its administrator did not allow to.

    Raises LocalProblem from `start` when a part does not come up; whatever had come up is stopped again first.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: Mapping[str, int] | None = None,
        *,
        preferred_ports: Mapping[str, int] | None = None,
        settings: LocalSettings | None = None,
        on_download: OnProgress | None = None,
        secure: bool = False,
    ) -> None:
        settings = settings or LocalSettings()
        self.data_dir = data_dir.absolute()
        self.ports = Ports(self.data_dir, ports, preferred_ports)
        self.postgres_part = Postgres(self.data_dir, self.ports)
        self.valkey_part = Valkey(self.data_dir, self.ports)
        kafka = SecureKafka if secure else Kafka
        self.kafka_part = kafka(
            self.data_dir, self.ports, settings.jar_cache, find_java(settings.java_home), on_download
        )

    @classmethod
    def shared(cls, data_dir: Path) -> Self:
        """The stack an earlier test run left running there, or a new one; it stays running until `stop` is called on it."""
        stack = cls(data_dir)
        if not all(part.attach() for part in stack.parts):
            stack.start()
        return stack

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of their need: what comes first is stopped last."""
        return (self.postgres_part, self.valkey_part, self.kafka_part)

    @property
    def kafka(self) -> str:
        return self.kafka_part.address

    @property
    def redis(self) -> str:
        return self.valkey_part.address

    @property
    def postgres_admin_dsn(self) -> str:
        return self.postgres_part.admin_dsn

    def database(self, name: str) -> str:
        """The address of a database of that name with an owner of the same name, made when it is not there yet."""
        return self.postgres_part.database(name)

    def start(self) -> None:
        self.check_disk()
        failure: BaseException | None = None
        with ThreadPoolExecutor(len(self.parts)) as pool:
            for start in as_completed([pool.submit(part.start) for part in self.parts]):
                if failure is None and (failure := start.exception()):
                    self.stop()  # also gives up the starts still under way
        if failure:
            self.stop()
            raise failure

    def stop(self) -> None:
        """All parts, in order, including those a killed owner left running."""
        for part in reversed(self.parts):
            part.process.find_leftover()
            part.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check_disk(self) -> None:
        """Raises LocalProblem before anything is started on a disk that is about to be full."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.data_dir).free
        if free < NEEDED_BYTES:
            raise LocalProblem(
                f"the disk with {self.data_dir} is full ({free // 1_000_000} MB left, {NEEDED_BYTES // 1_000_000} MB needed)",
                "free some space or choose another --data-dir",
            )
