"""What a process is told from outside: one frozen object, read once from `TILL_…` variables in `main` and handed down."""

import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from psycopg.conninfo import make_conninfo
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from till_events.topics import topic_of
from till_platform.audit.keys import NotAKey, PublicKey, SigningKey

PREFIX = "TILL_"
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@\s]*):([^@\s]*)@")
_LOCAL_CURSOR_SECRET = "local"  # noqa: S105 - signs cursors on a developer's machine only; elsewhere one must be given


class SettingsError(Exception):
    """The process cannot start as it is configured. The message is one line per variable: which one, and what is wrong with it."""


class KafkaSettings(BaseSettings):
    """Where Kafka is, who we are there, and how topics are cut: all that an administrator's command needs, too.

    Every field is the variable `TILL_<FIELD>`, or a file named by `TILL_<FIELD>_FILE`; an empty variable is none.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    service: str
    kafka: str
    partitions: int = Field(default=12, ge=1)
    replication: int = Field(default=1, ge=1)
    namespace: str = Field(default="till", pattern="^[a-z][a-z0-9-]*$")
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None

    @classmethod
    def read(cls, **given: Any) -> Self:
        """Return the settings of this process; raise `SettingsError` naming every variable that is missing or wrong."""
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError("\n".join(_complaint(problem) for problem in error.errors())) from None

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Secrets are mounted as files: `TILL_PG_FILE` is read where `TILL_PG` is not set."""
        wanted = [name for name in cls.model_fields if name not in given]
        files = {name: given.get(f"{name}_file") or os.environ.get(f"{_variable(name)}_FILE") for name in wanted}
        return {**given, **{name: _content(name, path) for name, path in files.items() if path}}

    @model_validator(mode="after")
    def _a_door_needs_a_key(self) -> Self:
        if self.kafka_protocol.startswith("SASL") and not (self.kafka_user and self.kafka_password):
            raise ValueError(f"{self.kafka_protocol} needs TILL_KAFKA_USER and TILL_KAFKA_PASSWORD")
        if self.kafka_ca_file is not None and not self.kafka_ca_file.is_file():
            raise ValueError(f"TILL_KAFKA_CA_FILE: {self.kafka_ca_file} is not there")
        return self

    @property
    def kafka_security(self) -> dict[str, Any]:
        """The security options as every aiokafka client takes them."""
        options: dict[str, Any] = {"security_protocol": self.kafka_protocol}
        if self.kafka_protocol.startswith("SASL"):
            assert self.kafka_password is not None
            options["sasl_mechanism"] = self.kafka_mechanism
            options["sasl_plain_username"] = self.kafka_user
            options["sasl_plain_password"] = self.kafka_password.get_secret_value()
        if self.kafka_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.kafka_ca_file)
        return options

    def topic(self, owner: str) -> str:
        """Return the topic of a service's log in this installation."""
        return topic_of(owner, self.namespace)

    def masked(self) -> dict[str, str]:
        """Return the effective value of every variable, with whatever is secret in it hidden."""
        return {_variable(name): _masked(getattr(self, name)) for name in type(self).model_fields}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.masked().items())})"

    __str__ = __repr__


class Settings(KafkaSettings):
    """Where things are and who is trusted. A service subclasses it with what only it needs.

    Outside local mode nothing that is secret, and nothing that decides who is let in, has a default.
    """

    environment: Literal["local", "production"] = "production"

    pg: str
    pg_password: SecretStr | None = None
    redis: str
    max_batch: int = Field(default=1_000, ge=1)
    effects_kept_days: int = Field(default=30, ge=1, le=36_500)
    instance: str | None = None
    session_timeout_ms: int = Field(default=10_000, ge=1_000)
    ready_age_seconds: float | None = Field(default=None, gt=0)
    """A worker whose read models are older than this is not ready; without it they may be of any age."""
    signing_key: SecretStr | None = None
    trusted_keys: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    worker_port: int = Field(default=0, ge=0, le=65535)
    """Where worker and relay answer probes when `all` runs them beside the API; 0 is any free port."""

    auth_issuer: str = ""
    auth_audience: str = ""
    auth_jwks_url: str | None = None
    auth_jwks_file: Path | None = None
    cursor_secret: SecretStr = SecretStr("")

    audit_key: SecretStr | None = None
    """The Ed25519 private key, in PEM, with which the log is signed; without one it is not."""
    audit_next_key: str | None = None
    """The public key, in PEM, that is to sign after `audit_key`: announced, so that auditors trust it without being told."""
    audit_events: int = Field(default=1_000, ge=10, le=10_000)
    audit_seconds: int = Field(default=60, ge=1)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: str | None = None
    otlp_metrics_seconds: float = Field(default=30.0, gt=0)
    trace_ratio: float = Field(default=1.0, ge=0, le=1)

    webhook_hosts: str = ""
    """Receivers that are trusted though their address is not public or their way is plain http: `host:port`, with commas between."""

    smtp: str | None = None
    sms_url: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _local_cursor_secret(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"cursor_secret": _LOCAL_CURSOR_SECRET, **given} if given.get("environment") == "local" else given

    @model_validator(mode="after")
    def _nothing_secret_by_default(self) -> Self:
        needed = {
            "auth_issuer": self.auth_issuer,
            "auth_audience": self.auth_audience,
            "auth_jwks_url": self.auth_jwks_url or self.auth_jwks_file,
            "cursor_secret": self.cursor_secret.get_secret_value(),
        }
        missing = [_variable(name) for name, value in needed.items() if not value]
        if missing and self.environment != "local":
            raise ValueError(f"outside local mode these must be set: {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        if self.audit_key:
            _checked("audit_key", SigningKey, self.audit_key.get_secret_value())
        if self.audit_next_key:
            _checked("audit_next_key", PublicKey.of_pem, self.audit_next_key)
        return self

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.pg_password and _PASSWORD_IN_URL.search(self.pg):
            raise ValueError("TILL_PG names a password already: leave it out there, or do not set TILL_PG_PASSWORD")
        return self

    @property
    def database(self) -> str:
        """The address of the service's database as psycopg takes it, password included."""
        if self.pg_password is None:
            return self.pg
        return make_conninfo(self.pg, password=self.pg_password.get_secret_value())

    @property
    def trusted_hosts(self) -> frozenset[str]:
        """The receivers of webhooks that may be where others may not."""
        return frozenset(filter(None, (one.strip() for one in self.webhook_hosts.split(","))))


def _content(field: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{_variable(field)}_FILE: {path} cannot be read: {error.strerror}") from None


def _checked(field: str, read: Callable[[str], object], pem: str) -> None:
    try:
        read(pem)
    except NotAKey as error:
        raise ValueError(f"{_variable(field)}: {error}") from None


def _variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def _masked(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    return "" if value is None else _PASSWORD_IN_URL.sub(r"\1:***@", str(value))


def _complaint(problem: Any) -> str:
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    variable = _variable(str(problem["loc"][0]).removeprefix(PREFIX.lower()))
    if problem["type"] == "missing":
        return f"{variable} is not set (nor is {variable}_FILE)"
    return f"{variable}: {problem['msg']}"
