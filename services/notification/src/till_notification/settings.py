"""What only this service is told from outside: who carries its messages, under which name, and when the night is."""

from datetime import time
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from till_notification.sending.smtp import Security
from till_platform.settings import Settings


class NotificationSettings(Settings):
    """Times of the night are read on the customer's own clock."""

    service: str = "notification"

    mail_from: str = "shop@localhost"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Security = "opportunistic"

    sms_from: str = Field(default="SHOP", min_length=1, max_length=15)
    sms_token: SecretStr | None = None

    quiet_from: time = time(21)
    quiet_until: time = time(9)

    provider_seconds: float = Field(default=5.0, gt=0, le=20)
    max_attempts: int = Field(default=12, ge=1, le=100)

    @field_validator("smtp")
    @classmethod
    def _is_host_and_port(cls, smtp: str | None) -> str | None:
        host, _, port = (smtp or "unset:0").rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError("must be host:port")
        return smtp

    @model_validator(mode="after")
    def _fit_for_customers(self) -> Self:
        if self.environment == "local":
            return self
        if self.smtp and self.mail_from == "shop@localhost":
            raise ValueError("outside local mode TILL_MAIL_FROM must be set: the address customers see and answer to")
        if self.smtp_password and self.smtp_security == "opportunistic":
            raise ValueError("TILL_SMTP_SECURITY must be starttls or implicit: a password is sent to the mail server")
        if self.sms_token and not (self.sms_url or "").startswith("https://"):
            raise ValueError("TILL_SMS_URL must start with https://: a token is sent to the gateway")
        return self
