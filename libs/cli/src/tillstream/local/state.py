from pathlib import Path
from typing import Literal, Self

import psutil
from pydantic import BaseModel

from till_platform.local.files import write_atomically
from tillstream.local.directory import DataDirectory

Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]


class ProcessState(BaseModel):
    """One process of the stack as its supervisor sees it."""

    name: str
    address: str
    pid: int | None = None
    healthy: bool = False
    restarts: int = 0


class StackState(BaseModel):
    """What `till up` runs and where it can be reached; written whole at every change, for everybody who comes later.

    The database addresses contain generated passwords, so only the owner can read the file.
    """

    data_dir: Path
    phase: Phase = "stopped"
    problem: str | None = None
    remedy: str | None = None
    supervisor_pid: int | None = None
    supervisor_created: float | None = None
    partitions: int = 6
    namespace: str = "till"
    kafka: str = ""
    secure: bool = False
    redis: str = ""
    smtp: str = ""
    sms_url: str = ""
    postgres_admin: str = ""
    databases: dict[str, str] = {}
    apis: dict[str, str] = {}
    workers: dict[str, str] = {}
    processes: dict[str, ProcessState] = {}

    @classmethod
    def read(cls, data_dir: DataDirectory) -> Self:
        """The last state written there, `stopped` where there is none or where its supervisor is gone."""
        try:
            state = cls.model_validate_json(data_dir.state_file.read_text())
        except FileNotFoundError:
            return cls(data_dir=data_dir.path.absolute())
        if state.phase in ("starting", "ready", "stopping") and state.supervisor is None:
            state.phase = "stopped"
            state.problem = "the supervisor was killed"
            state.remedy = "`till up` stops what it left behind and starts again; nothing is lost"
        return state

    def write(self, data_dir: DataDirectory) -> None:
        write_atomically(data_dir.state_file, self.model_dump_json(indent=2), mode=0o600)

    @property
    def supervisor(self) -> psutil.Process | None:
        """The living supervisor; its start time is compared, since pids are used again."""
        if self.supervisor_pid is None or self.supervisor_created is None:
            return None
        try:
            process = psutil.Process(self.supervisor_pid)
            alive = (
                abs(process.create_time() - self.supervisor_created) < 1 and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return None
        return process if alive else None

    @property
    def running(self) -> bool:
        return self.phase == "ready"
