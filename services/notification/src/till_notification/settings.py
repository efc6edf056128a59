"""What only this service is told from outside: who carries its messages, under which name, and when the night is."""

from datetime import time
from typing import Self

from pydantic import Field, SecretStr, model_validator

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

    @model_validator(mode="after")
    def _a_sender_customers_can_answer(self) -> Self:
        if self.environment != "local" and self.smtp and self.mail_from == "shop@localhost":
            raise ValueError("outside local mode TILL_MAIL_FROM must be set: the address customers see and answer to")
        return self
