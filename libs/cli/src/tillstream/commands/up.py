import asyncio
import os
from contextlib import suppress
from typing import Annotated

from rich.table import Table
from typer import BadParameter, Option
from typer import Exit as Leave

from till_platform.local.jars import ensure, kafka_jars
from till_platform.local.settings import LocalSettings
from tillstream import completing, console
from tillstream.exits import Exit
from tillstream.local import control
from tillstream.local.directory import DataDirectory
from tillstream.local.logs import LogFollower
from tillstream.local.run import LocalRun, port_names
from tillstream.local.services import installed_services
from tillstream.local.state import StackState
from tillstream.local.supervisor import until_signalled
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    detach: Annotated[
        bool, Option("-d", "--detach", help="Go on after this terminal is closed; stop with `till down`.")
    ] = False,
    only: Annotated[
        str, Option(help="Start these services only, e.g. order,loyalty.", autocompletion=completing.service_names)
    ] = "",
    port: Annotated[
        list[str] | None,
        Option(help="A port of your own, e.g. kafka=9092.", metavar="NAME=NUMBER", autocompletion=completing.ports),
    ] = None,
    secure: Annotated[
        bool,
        Option(help="Kafka with the doors closed: TLS, passwords, rules. Stays so; a new data directory is needed."),
    ] = False,
    follow: Annotated[bool, Option(help="Show what the services write while they run here.")] = True,
    as_json: AsJson = False,
) -> None:
    """Start PostgreSQL, Valkey, Kafka and the services on this machine, and show where they are.

    Runs until Ctrl-C, then stops everything in order. What dies is started again. Data stays in the data directory: a `kill -9` of
    everything followed by `till up` loses nothing.
    """
    directory, names, ports = DataDirectory(data_dir), _services(only), _ports(port or [])
    with console.download_progress("Kafka") as on_download:
        if detach:
            state = control.start_detached(
                directory, only=names, ports=ports, secure=secure, say=console.say, on_download=on_download
            )
        else:
            ensure(kafka_jars(), LocalSettings().jar_cache, on_download)
    if detach:
        show(state, as_json=as_json)
        return
    run = LocalRun(directory, only=names, ports=ports, environment=os.environ, say=console.say, secure=secure)
    asyncio.run(until_signalled(_run(run, directory, follow=follow, as_json=as_json)))
    if not run.came_up:
        raise Leave(Exit.INTERRUPTED)


async def _run(run: LocalRun, directory: DataDirectory, *, follow: bool, as_json: bool) -> None:
    running = asyncio.ensure_future(run.run())
    follower = LogFollower(directory.logs, run.state.apis or installed_services())
    try:
        while not running.done() and not run.state.running:
            await asyncio.wait([running], timeout=0.1)
        if run.state.running:
            show(run.state, as_json=as_json)
        while not running.done():
            await asyncio.wait([running], timeout=0.2)
            if follow:
                _print_lines(follower)
    finally:
        running.cancel()
        await asyncio.wait([running])
    running.result()


def _print_lines(follower: LogFollower) -> None:
    names = installed_services()
    with suppress(OSError):  # the terminal was closed: the signal for that is on its way
        for name, line in follower.new_lines():
            console.err.print(f"[{COLOURS[names.index(name) % len(COLOURS)]}]{name:>12}[/] │ ", end="")
            console.err.print(line, markup=False, highlight=False)


def _services(only: str) -> list[str]:
    names = [name for name in only.split(",") if name]
    for name in names:
        if name not in installed_services():
            raise BadParameter(
                f"there is no service {name}; installed: {', '.join(installed_services())}", param_hint="--only"
            )
    return names


def _ports(given: list[str]) -> dict[str, int]:
    ports = {}
    for entry in given:
        name, _, number = entry.partition("=")
        if name not in port_names() or not number.isdigit() or not 0 < int(number) < 65_536:
            raise BadParameter(
                f"{entry!r} is not NAME=NUMBER with NAME one of {', '.join(port_names())}", param_hint="--port"
            )
        ports[name] = int(number)
    return ports


def show(state: StackState, *, as_json: bool) -> None:
    """Where everything is, for people and for programs that attach."""
    if as_json:
        console.print_json(state.model_dump(mode="json"))
        return
    table = Table(box=None, show_header=False)
    for name, url in state.apis.items():
        table.add_row(name, url, f"{url}/docs")
    table.add_row("Kafka", state.kafka)
    table.add_row("PostgreSQL", state.processes["postgres"].address, "addresses with passwords: till status --json")
    table.add_row("Valkey", state.redis)
    table.add_row("mail, SMS", f"smtp://{state.smtp}", "caught, never sent: till outbox")
    console.out.print(table)
    console.say(
        "For one machine, not for production. `till status`, `till logs -f order`, `till doctor`, `till token --role manager`."
    )
