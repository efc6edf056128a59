"""What the service is told from outside, and what it does not put up with."""

import pytest

from till_notification.settings import NotificationSettings
from till_platform.settings import SettingsError

NEEDED = {"pg": "postgresql://db/x", "kafka": "kafka:9092", "redis": "redis://cache", "cursor_secret": "s"}
TRUST = {"auth_issuer": "https://issuer", "auth_audience": "tillstream", "auth_jwks_url": "https://issuer/keys"}


def read(**given):
    return NotificationSettings.read(**{**NEEDED, **TRUST, "environment": "production", **given})


def test_a_chain_names_its_mail_server_its_gateway_and_its_own_address():
    settings = read(
        smtp="mail.example.org:587",
        mail_from="Shop <shop@example.org>",
        smtp_user="u",
        smtp_password="p",
        smtp_security="starttls",
        sms_url="https://sms.example.org/messages",
        sms_token="t",
    )
    assert settings.masked()["TILL_SMTP_PASSWORD"] == settings.masked()["TILL_SMS_TOKEN"] == "***"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"smtp": "mail.example.org", "mail_from": "shop@example.org"}, "TILL_SMTP: .*host:port"),
        ({"smtp": "mail.example.org:25"}, "TILL_MAIL_FROM"),
        ({"smtp_password": "p"}, "TILL_SMTP_SECURITY"),
        ({"sms_token": "t", "sms_url": "http://sms.example.org"}, "TILL_SMS_URL"),
        ({"quiet_from": "noon"}, "TILL_QUIET_FROM"),
        ({"max_attempts": 0}, "TILL_MAX_ATTEMPTS"),
    ],
)
def test_what_would_fail_later_or_give_secrets_away_is_refused_at_the_start(given, complaint):
    with pytest.raises(SettingsError, match=complaint):
        read(**given)


def test_local_mode_needs_nothing_of_this():
    NotificationSettings.read(
        **NEEDED, environment="local", smtp="127.0.0.1:2525", sms_url="http://127.0.0.1:8080/messages"
    )
