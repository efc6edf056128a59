"""A process that is not told what it needs says so in one line per thing, and starts with no secret of its own."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from till_platform.settings import KafkaSettings, Settings, SettingsError

LOCAL = {
    "TILL_SERVICE": "order",
    "TILL_ENVIRONMENT": "local",
    "TILL_PG": "postgresql://till:geheim@db/till",
    "TILL_KAFKA": "k:9092",
    "TILL_REDIS": "redis://:geheim@r",
}
PRODUCTION = {
    **LOCAL,
    "TILL_ENVIRONMENT": "production",
    "TILL_AUTH_ISSUER": "https://issuer.example",
    "TILL_AUTH_AUDIENCE": "tillstream",
    "TILL_AUTH_JWKS_URL": "https://issuer.example/jwks.json",
    "TILL_CURSOR_SECRET": "geheim",
}


@pytest.fixture
def told(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("TILL_"):
            monkeypatch.delenv(name)

    def told(variables, **changed):
        for name, value in {**variables, **changed}.items():
            if value is not None:
                monkeypatch.setenv(name, str(value))
        return Settings.read()

    return told


def test_local_mode_needs_addresses_only(told) -> None:
    settings = told(LOCAL)
    assert (settings.pg, settings.partitions, settings.cursor_secret.get_secret_value()) == (
        LOCAL["TILL_PG"],
        12,
        "local",
    )


def test_production_is_what_a_process_is_unless_told_otherwise(told) -> None:
    with pytest.raises(SettingsError, match="outside local mode"):
        told(LOCAL, TILL_ENVIRONMENT=None)


@pytest.mark.parametrize("name", ["TILL_AUTH_ISSUER", "TILL_AUTH_AUDIENCE", "TILL_AUTH_JWKS_URL", "TILL_CURSOR_SECRET"])
def test_no_secret_and_no_gatekeeper_has_a_default_in_production(told, name) -> None:
    with pytest.raises(SettingsError) as refusal:
        told(PRODUCTION, **{name: None})
    assert name in str(refusal.value)
    assert str(refusal.value).count("\n") == 0


def test_everything_that_is_missing_is_named_line_by_line(told) -> None:
    with pytest.raises(SettingsError) as refusal:
        told({})
    lines = str(refusal.value).splitlines()
    assert [line.split()[0] for line in lines] == ["TILL_SERVICE", "TILL_KAFKA", "TILL_PG", "TILL_REDIS"]


def test_what_is_wrong_is_said_without_quoting_it(told) -> None:
    with pytest.raises(SettingsError) as refusal:
        told(LOCAL, TILL_PORT="geheim")
    assert str(refusal.value).startswith("TILL_PORT: ")
    assert "geheim" not in str(refusal.value)


def test_a_secret_may_be_a_file(told, tmp_path) -> None:
    (tmp_path / "pg").write_text("postgresql://till:from-file@db/till\n")
    (tmp_path / "cursor").write_text("from-file\n")
    settings = told(
        PRODUCTION,
        TILL_PG=None,
        TILL_PG_FILE=tmp_path / "pg",
        TILL_CURSOR_SECRET=None,
        TILL_CURSOR_SECRET_FILE=tmp_path / "cursor",
    )
    assert settings.pg == "postgresql://till:from-file@db/till"
    assert settings.cursor_secret.get_secret_value() == "from-file"


def test_the_password_of_the_database_may_be_a_file_of_its_own(told, tmp_path) -> None:
    (tmp_path / "password").write_text("p@ss word\n")

    settings = told(
        PRODUCTION, TILL_PG="postgresql://till@db/till?sslmode=require", TILL_PG_PASSWORD_FILE=tmp_path / "password"
    )

    assert conninfo_to_dict(settings.database) == {
        "user": "till",
        "password": "p@ss word",
        "host": "db",
        "dbname": "till",
        "sslmode": "require",
    }
    assert "p@ss" not in str(settings)


def test_a_database_has_one_password(told) -> None:
    with pytest.raises(SettingsError, match="TILL_PG_PASSWORD"):
        told(PRODUCTION, TILL_PG_PASSWORD="another")


def test_an_empty_variable_is_none(told, tmp_path) -> None:
    (tmp_path / "pg").write_text("postgresql://till:from-file@db/till")

    settings = told(LOCAL, TILL_PG="", TILL_PG_FILE=tmp_path / "pg", TILL_OTLP_ENDPOINT="", TILL_LOG_LEVEL="")

    assert settings.pg == "postgresql://till:from-file@db/till"
    assert settings.otlp_endpoint is None
    assert settings.log_level == "INFO"


def test_a_file_that_cannot_be_read_is_named(told, tmp_path) -> None:
    with pytest.raises(SettingsError, match="TILL_PG_FILE"):
        told(LOCAL, TILL_PG=None, TILL_PG_FILE=tmp_path / "nowhere")


def test_nothing_secret_is_shown(told) -> None:
    settings = told(PRODUCTION, TILL_KAFKA_PROTOCOL="SASL_SSL", TILL_KAFKA_USER="till", TILL_KAFKA_PASSWORD="geheim")
    assert settings.masked()["TILL_PG"] == "postgresql://till:***@db/till"
    for shown in (str(settings), repr(settings), str(settings.masked())):
        assert "geheim" not in shown


def test_kafka_behind_a_door_needs_a_name_and_a_password(told) -> None:
    with pytest.raises(SettingsError, match="TILL_KAFKA_PASSWORD"):
        told(LOCAL, TILL_KAFKA_PROTOCOL="SASL_PLAINTEXT", TILL_KAFKA_USER="till")


def test_kafka_clients_get_their_credentials(told) -> None:
    options = told(
        LOCAL, TILL_KAFKA_PROTOCOL="SASL_PLAINTEXT", TILL_KAFKA_USER="till", TILL_KAFKA_PASSWORD="pw"
    ).kafka_security
    assert options == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "till",
        "sasl_plain_password": "pw",
    }


def test_settings_do_not_change(told) -> None:
    settings = told(LOCAL)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_an_authority_that_is_not_there_is_told_before_anything_is_tried(told, tmp_path) -> None:
    with pytest.raises(SettingsError, match="TILL_KAFKA_CA_FILE"):
        told(LOCAL, TILL_KAFKA_CA_FILE=str(tmp_path / "ca.pem"))


def test_an_administrator_needs_kafka_and_no_database(monkeypatch) -> None:
    monkeypatch.setenv("TILL_KAFKA", "k:9092")
    assert KafkaSettings.read(service="till").kafka == "k:9092"
