"""What opens a secure local Kafka, and where it lies in the data directory."""

from till_events.topics import topic_of
from till_platform.local.secure_kafka import ADMIN, CA
from tillstream.local.directory import DataDirectory


class Doors:
    """The settings with which each of us gets in."""

    def __init__(self, directory: DataDirectory) -> None:
        self.secrets = (directory.path / "secrets" / "kafka").absolute()

    @property
    def closed(self) -> bool:
        """Whether the Kafka of this directory was made secure. It stays so: rules that nobody minds would be worse than none."""
        return (self.secrets / f"{ADMIN}.password").exists()

    def of_administrator(self) -> dict[str, str]:
        """The settings of whoever may do everything."""
        return self._of(ADMIN, ADMIN)

    def of_service(self, service: str, namespace: str) -> dict[str, str]:
        """The settings of a service, which signs what it publishes and trusts what others sign."""
        return {
            **self._of(topic_of(service, namespace), service),
            "signing_key_file": str(self.secrets / f"{service}.key"),
            "trusted_keys_file": str(self.secrets / "trusted.json"),
        }

    def _of(self, user: str, file: str) -> dict[str, str]:
        return {
            "kafka_protocol": "SASL_SSL",
            "kafka_user": user,
            "kafka_password_file": str(self.secrets / f"{file}.password"),
            "kafka_ca_file": str(self.secrets / CA),
        }
