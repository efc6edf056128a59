import secrets
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from till_platform.local.certificates import BROKER, make_certificates
from till_platform.local.files import write_atomically
from till_platform.local.kafka import Kafka
from till_platform.local.problem import LocalProblem

ADMIN = "admin"
CA = "ca.pem"
_SCRAM = "SCRAM-SHA-512"


class SecureKafka(Kafka):
    """Kafka with the doors closed: TLS 1.3, SCRAM-SHA-512, nobody may do anything that no rule allows, and one administrator.

    What opens it lies in `secrets/kafka` of the data directory: `ca.pem` for everybody, `admin.password` for the owner.
    """

    @property
    def secrets_dir(self) -> Path:
        return self.data_dir / "secrets" / "kafka"

    @property
    def ca_file(self) -> Path:
        return self.secrets_dir / CA

    @property
    def admin_password_file(self) -> Path:
        return self.secrets_dir / f"{ADMIN}.password"

    def prepare(self) -> None:
        """Raises LocalProblem where this data directory has a Kafka already that was made with open doors."""
        if (self._log_dir / "meta.properties").exists() and not self.admin_password_file.exists():
            raise LocalProblem(
                f"the Kafka in {self.data_dir} was made without an administrator", "choose another --data-dir"
            )
        if not self.admin_password_file.exists():
            make_certificates(self.secrets_dir)
            write_atomically(self.admin_password_file, secrets.token_urlsafe(32), mode=0o600)
        super().prepare()
        self._settings_file.chmod(0o600)  # the administrator's password is in it

    def _settings(self) -> dict[str, str]:
        settings = super()._settings()
        listeners = settings["listeners"].replace("PLAINTEXT://", "CLIENTS://")
        broker = str(self.secrets_dir / "broker.pem")
        login = "org.apache.kafka.common.security.scram.ScramLoginModule"
        return {
            **settings,
            "listeners": listeners,
            "advertised.listeners": settings["advertised.listeners"].replace("PLAINTEXT://", "CLIENTS://"),
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "CLIENTS",
            "sasl.enabled.mechanisms": _SCRAM,
            "sasl.mechanism.inter.broker.protocol": _SCRAM,
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                f'{login} required username="{ADMIN}" password="{self.admin_password_file.read_text()}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": broker,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca_file),
            "ssl.enabled.protocols": "TLSv1.3",
            "ssl.protocol": "TLSv1.3",
            # Else whoever reaches the controller's port would be a nameless super user.
            "listener.name.controller.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN};User:CN={BROKER}",
        }

    def _format_options(self) -> Sequence[str]:
        # The first credentials must be there before anybody could ask for them.
        return ["--add-scram", f"{_SCRAM}=[name={ADMIN},password={self.admin_password_file.read_text()}]"]

    def _connect(self) -> socket.socket:
        plain = super()._connect()
        context = ssl.create_default_context(cafile=self.ca_file)
        return context.wrap_socket(plain, server_hostname="localhost")
