import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer import Argument, BadParameter, Option

from till_events.topics import OWNERS
from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir

if TYPE_CHECKING:
    from till_platform.kafka.principals import Principal
    from till_platform.settings import KafkaSettings

app = typer.Typer(
    no_args_is_help=True,
    help="Who may use Kafka for what: our services, and systems outside that read. For Kafka's administrator: a local stack's (till up"
    " --secure), or another with TILL_KAFKA, TILL_KAFKA_PROTOCOL=SASL_SSL, TILL_KAFKA_USER, TILL_KAFKA_PASSWORD_FILE, TILL_KAFKA_CA_FILE.",
)

Kafka = Annotated[str | None, Option(envvar="TILL_KAFKA", help="Another Kafka than the local stack's: host:port.")]
Name = Annotated[str, Argument(help="The system outside, e.g. bi: letters, digits and dashes.")]
Renew = Annotated[bool, Option("--renew", help="Give a new password; the old one opens nothing any more.")]
Strimzi = Annotated[bool, Option("--strimzi", help="Print the resources for Strimzi instead, and change nothing.")]
Cluster = Annotated[str, Option(help="With --strimzi: the name of the Kafka resource.")]
USUAL_BYTES_PER_SECOND = 1_000_000


@app.command()
def grant(
    name: Name,
    topics: Annotated[
        str, Option(help="What it may read: services, e.g. order,loyalty.", autocompletion=completing.service_names)
    ],
    bytes_per_second: Annotated[
        int, Option(min=1, help="How much it may read in a second, by each broker.")
    ] = USUAL_BYTES_PER_SECOND,
    renew: Renew = False,
    strimzi: Strimzi = False,
    cluster: Cluster = "till",
    kafka: Kafka = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a system outside read some topics, and print its credentials: now, and never again.

    It may read these topics and no others, in consumer groups that begin with its name, and write nothing. Exit code 4 for a topic that is
    not there, 5 where the name is taken (unless --renew: then exactly this is granted, with a new password), 6 where Kafka does not take us
    for its administrator, 7 where it does not let us in.
    """
    from tillstream.access.subscribers import let_in

    settings = _settings(kafka, data_dir, offline=strimzi)
    principal = _subscriber(name, topics, settings)
    if strimzi:
        _print_strimzi([_user(principal, cluster, bytes_per_second)], as_json=as_json)
        return
    password = asyncio.run(let_in(settings, principal, bytes_per_second, renew=renew))
    credentials = {
        "bootstrap.servers": settings.kafka,
        "security.protocol": settings.kafka_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": principal.name,
        "sasl.password": password,
        **({"ssl.ca.location": str(settings.kafka_ca_file)} if settings.kafka_ca_file else {}),
        "group.id": f"{principal.group}1",
    }
    if as_json:
        about = {"principal": principal.name, "topics": list(principal.reads), "bytes_per_second": bytes_per_second}
        console.print_json({**about, "group_prefix": principal.group, "client": credentials})
        return
    for key, value in credentials.items():
        console.out.print(f"{key}={value}", markup=False, highlight=False, soft_wrap=True)
    console.say(f"{principal.name} reads {', '.join(principal.reads)}; the password is shown this once")


@app.command()
def services(
    out: Annotated[Path, Option(file_okay=False, help="The folder for passwords and keys, one file for each service.")],
    name: Annotated[list[str] | None, Argument(help="Services; all if none is named.")] = None,
    renew: Renew = False,
    kafka: Kafka = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make the topics and let our services in: each may write its own topic, and read what it subscribes to.

    Done again, it mends what differs from contracts/access.yaml and changes nothing else. Exit codes as for `grant`.
    """
    from tillstream.access import services as ours

    settings = _settings(kafka, data_dir)
    asyncio.run(ours.admit(settings, name or [], out, renew=renew))
    chosen = {one: found for one, found in _of_services(settings).items() if not name or one in name}
    files = {
        one: {
            "principal": principal.name,
            "password_file": str(ours.password_file(out, one)),
            "signing_key_file": str(ours.key_file(out, one)),
        }
        for one, principal in chosen.items()
    }
    if as_json:
        console.print_json({"services": files, "trusted_keys_file": str(ours.trusted_file(out))})
        return
    for one in files.values():
        console.out.print("  ".join(one.values()), markup=False, highlight=False, soft_wrap=True)
    console.say(f"whom to trust: {ours.trusted_file(out)}")


@app.command()
def resources(
    cluster: Cluster = "till",
    as_json: AsJson = False,
) -> None:
    """Print topics and users of our services for Strimzi, as contracts/access.yaml says; cut by TILL_PARTITIONS and TILL_REPLICATION."""
    from tillstream.access.strimzi import kafka_topic

    settings = _settings("strimzi", DEFAULT_DATA_DIR, offline=True)
    found = _of_services(settings)
    topics = [kafka_topic(topic, cluster, settings) for one in found.values() for topic in one.writes]
    _print_strimzi([*topics, *(_user(one, cluster, None) for one in found.values())], as_json=as_json)


@app.command("list")
def list_(kafka: Kafka = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Show who may write and read what, how fast, and who has a password, as Kafka itself says."""
    from tillstream.access.subscribers import everybody

    found = asyncio.run(everybody(_settings(kafka, data_dir)))
    if as_json:
        console.print_json({"principals": found})
        return
    table = Table("principal", "writes", "reads", "groups", "bytes/s", "password", box=None)
    for one in found:
        limit = f"{one['bytes_per_second']:,}" if one["bytes_per_second"] else ""
        names = [", ".join(one[column]) for column in ("writes", "reads", "groups")]
        table.add_row(one["principal"], *names, limit, "yes" if one["password"] else "no")
    console.out.print(table)


@app.command()
def revoke(name: Name, kafka: Kafka = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Let a system outside in no more: its rules are gone at once, also for connections that are open. Exit code 4 if there is none."""
    from tillstream.access.subscribers import let_out

    settings = _settings(kafka, data_dir)
    principal = _subscriber(name, "", settings)
    if not asyncio.run(let_out(settings, principal.name)):
        raise CommandFailed(f"{principal.name} may do nothing as it is", "till access list", Exit.NOT_FOUND)
    if as_json:
        console.print_json({"revoked": principal.name})
    console.say(f"{principal.name} may do nothing any more")


def _settings(kafka: str | None, data_dir: Path, *, offline: bool = False) -> "KafkaSettings":
    from till_platform.settings import KafkaSettings, SettingsError

    try:
        if offline:
            return KafkaSettings.read(service="till", kafka="", kafka_protocol="PLAINTEXT", kafka_ca_file=None)
        settings = Attached(data_dir).kafka if kafka is None else KafkaSettings.read(service="till", kafka=kafka)
    except SettingsError as error:
        raise CommandFailed(str(error), "docs/access.md", Exit.USAGE) from error
    if not settings.kafka_protocol.startswith("SASL"):
        raise CommandFailed(
            f"the Kafka at {settings.kafka} lets in everybody", "till up --secure, or TILL_KAFKA_PROTOCOL=SASL_SSL"
        )
    return settings


def _subscriber(name: str, topics: str, settings: "KafkaSettings") -> "Principal":
    from till_platform.kafka.principals import of_subscriber

    if not re.fullmatch("[a-z][a-z0-9-]*", name) or name in OWNERS:
        raise BadParameter(f"{name!r} must be small letters, digits and dashes, and no service", param_hint="NAME")
    owners = [topic.strip().removeprefix(f"{settings.namespace}.") for topic in topics.split(",") if topic.strip()]
    return of_subscriber(name, {settings.topic(owner) for owner in owners}, settings.namespace)


def _of_services(settings: "KafkaSettings") -> "dict[str, Principal]":
    from tillstream.access.services import principals_of_services

    return principals_of_services(settings.namespace)


def _user(principal: "Principal", cluster: str, bytes_per_second: int | None) -> dict[str, Any]:
    from tillstream.access.strimzi import kafka_user

    return kafka_user(principal, cluster, bytes_per_second)


def _print_strimzi(found: list[dict[str, Any]], *, as_json: bool) -> None:
    from tillstream.access.strimzi import as_yaml

    if as_json:
        console.print_json(found)
    else:
        console.out.print(as_yaml(found), end="", markup=False, highlight=False, soft_wrap=True)
