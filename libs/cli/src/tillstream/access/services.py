"""Letting our own services in: topics, principals, passwords, and the keys they sign with and trust."""

import json
import secrets
from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from till_platform.kafka.principals import Principal, of_service
from till_platform.kafka.refusals import Refused
from till_platform.kafka.signatures import Signer, new_signing_key
from till_platform.kafka.topics import WrongPartitions, ensure_topics
from till_platform.local.files import write_atomically
from till_platform.settings import KafkaSettings
from tillstream.access.administrator import administering
from tillstream.exits import CommandFailed, Exit

TRUSTED = "trusted.json"


def principals_of_services(namespace: str) -> dict[str, Principal]:
    """Return by name of service what it may do: what its own declarations need, and no more."""
    found = {}
    for entry in entry_points(group="tillstream.services"):
        if find_spec(entry.module.partition(".")[0]) is not None:
            service = entry.load()()
            found[service.name] = of_service(service.name, service.consumer, service.sources, namespace)
    return dict(sorted(found.items()))


async def admit(settings: KafkaSettings, services: Sequence[str], directory: Path, *, renew: bool = False) -> None:
    """Make topics and let services in. Passwords and keys are written to files in `directory`, one for each service, and nowhere else.

    Said again, it changes nothing but rules that differ; with `renew` every service gets a new password. A key that is there is kept:
    whoever lost it could not read what was signed with it.
    """
    principals = principals_of_services(settings.namespace)
    if unknown := sorted(set(services) - set(principals)):
        raise CommandFailed(
            f"there is no service {', '.join(unknown)}", f"there are: {', '.join(principals)}", Exit.NOT_FOUND
        )
    try:
        await ensure_topics(settings, principals)
    except Refused as error:
        raise CommandFailed(str(error), "till doctor", Exit.UNAVAILABLE) from error
    except WrongPartitions as error:
        raise CommandFailed(str(error), "", Exit.CONFLICT) from error
    async with administering(settings) as administrator:
        known = await administrator.users()
        for name in services or principals:
            principal, file = principals[name], password_file(directory, name)
            if renew or not file.exists() or principal.name not in known:
                password = secrets.token_urlsafe(32)
                await administrator.give_password(principal.name, password)
                write_atomically(file, password, mode=0o600)
            await administrator.allow(principal)
    _make_keys(directory, services or list(principals))


def password_file(directory: Path, service: str) -> Path:
    """For `TILL_KAFKA_PASSWORD_FILE` of a service."""
    return directory / f"{service}.password"


def key_file(directory: Path, service: str) -> Path:
    """For `TILL_SIGNING_KEY_FILE` of a service."""
    return directory / f"{service}.key"


def trusted_file(directory: Path) -> Path:
    """For `TILL_TRUSTED_KEYS_FILE` of every service: no secret."""
    return directory / TRUSTED


def _make_keys(directory: Path, services: Sequence[str]) -> None:
    file = trusted_file(directory)
    trusted: dict[str, list[str]] = json.loads(file.read_text()) if file.exists() else {}
    for name in services:
        private = key_file(directory, name)
        if not private.exists():
            write_atomically(private, new_signing_key(), mode=0o600)
        public = Signer(private.read_text()).public
        if public not in trusted.setdefault(name, []):
            trusted[name].append(public)
    write_atomically(file, json.dumps(trusted, indent=2, sort_keys=True) + "\n")
