from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Everything one local Tillstream keeps is in this one folder; deleting the folder (when stopped) forgets it all."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def owner_lock(self) -> Path:
        return self.run / "owner.lock"

    @property
    def issuer_key(self) -> Path:
        return self.path / "secrets" / "issuer.json"

    @property
    def jwks(self) -> Path:
        return self.path / "jwks.json"

    @property
    def audit_key(self) -> Path:
        return self.path / "secrets" / "audit.pem"

    @property
    def audit_public_key(self) -> Path:
        return self.path / "audit.pub.pem"

    @property
    def outbox(self) -> Path:
        return self.path / "outbox.sqlite"

    @property
    def unfinished_restore(self) -> Path:
        """There while a backup takes the place of what was here before."""
        return self.path / "restore-unfinished"
