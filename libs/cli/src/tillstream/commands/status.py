from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any
from urllib.parse import urlsplit

from rich.table import Table
from typer import Exit as Leave
from typer import Option

from tillstream import console
from tillstream.exits import Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.issuer import Issuer, Role
from tillstream.local.services import answers, consumers
from tillstream.local.state import StackState
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir


def status(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
    targets: Annotated[
        bool, Option("--targets", help="Only where Prometheus finds the figures of each process, in its own form.")
    ] = False,
) -> None:
    """Show what runs and where: every address, its health, and how far each consumer is behind. Exit code 7 when nothing runs.

    With --json also each service's database address with its password, so that any outside client can attach.
    """
    directory = DataDirectory(data_dir)
    if targets:
        console.print_json(_targets(StackState.read(directory)))
        return
    report = survey(directory)
    if as_json:
        console.print_json(report)
    else:
        _print(report)
    if report["phase"] != "ready":
        raise Leave(Exit.UNAVAILABLE)


def _targets(state: StackState) -> list[dict[str, Any]]:
    """Every process of the services, with the labels that boards and alerts go by."""
    parts = (("api", state.apis), ("worker", state.workers))
    return [
        {"targets": [urlsplit(url).netloc], "labels": {"job": "till", "service": name, "part": part}}
        for part, urls in parts
        for name, url in urls.items()
    ]


def survey(directory: DataDirectory) -> dict[str, Any]:
    """Everything an outside client needs to attach, and how each part is doing right now."""
    state = StackState.read(directory)
    services = _services(state, directory) if state.running and state.apis else {}
    return {
        "phase": state.phase,
        "problem": state.problem,
        "remedy": state.remedy,
        "data_dir": str(state.data_dir),
        "supervisor": {"pid": state.supervisor_pid if state.supervisor else None},
        "kafka": {"bootstrap": state.kafka, "secure": state.secure, **_process(state, "kafka")},
        "postgres": {"databases": state.databases, "admin": state.postgres_admin, **_process(state, "postgres")},
        "valkey": {"url": state.redis, **_process(state, "valkey")},
        "catchers": {"smtp": state.smtp, "sms_url": state.sms_url, **_process(state, "catchers")},
        "auth": {
            "jwks_file": str(directory.jwks.absolute()),
            "token_command": "till token --role ROLE [--store STORE]",
        },
        "services": services,
    }


def _process(state: StackState, name: str) -> dict[str, Any]:
    process = state.processes.get(name)
    if process is None or not state.running:
        return {"healthy": False, "pid": None, "restarts": 0}
    return {"healthy": process.healthy, "pid": process.pid, "restarts": process.restarts}


def _services(state: StackState, directory: DataDirectory) -> dict[str, Any]:
    """All are asked at once, since one that hangs is waited for."""
    token = Issuer(directory.issuer_key, directory.jwks).sign(Role.ADMIN, None, "till", 5)
    with ThreadPoolExecutor(len(state.apis)) as threads:
        return dict(zip(state.apis, threads.map(lambda name: _service(state, name, token), state.apis), strict=True))


def _service(state: StackState, name: str, token: str) -> dict[str, Any]:
    url, worker = state.apis[name], state.workers[name]
    return {
        "url": url,
        "worker": worker,
        "docs": f"{url}/docs",
        **_process(state, name),
        "healthy": answers(f"{url}/readyz"),
        "postgres": state.databases[name],
        "lag": consumers(worker, token),
    }


def _print(report: dict[str, Any]) -> None:
    console.out.print(f"{report['phase']}", style="green" if report["phase"] == "ready" else "yellow", highlight=False)
    if report["problem"]:
        console.say(report["problem"])
    if report["phase"] != "ready":
        console.hint(report["remedy"] or "till up -d")
        return
    table = Table("part", "address", "health", "pid", "restarts", "lag", box=None)
    parts = [("kafka", "bootstrap"), ("valkey", "url"), ("catchers", "smtp")]
    rows = [(name, report[name][address], report[name]) for name, address in parts]
    rows += [("postgres", report["postgres"]["admin"].rpartition("@")[2].partition("/")[0], report["postgres"])]
    rows += [(name, service["url"], service) for name, service in report["services"].items()]
    for name, address, part in rows:
        health = "[green]up[/]" if part["healthy"] else "[red]DOWN[/]"
        lag = sum(row["lag"] for row in part["lag"]) if part.get("lag") else ""
        table.add_row(name, address, health, str(part["pid"] or ""), str(part["restarts"]), str(lag))
    console.out.print(table)
