import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import yaml
from typer import Exit as Leave

from tillstream import console
from tillstream.exits import CommandFailed, Exit
from tillstream.options import AsJson

app = typer.Typer(
    no_args_is_help=True, help="The published contracts: make them from the code, and check what changed."
)

CONTRACTS = Path("contracts")
GOLDEN = Path("libs/events/golden")
MADE = "# Made from the code by `till contracts build`. Change the code, not this file.\n"

Root = Annotated[Path | None, typer.Option("--root", help="The repository; found upwards from here if not given.")]
Against = Annotated[str | None, typer.Option("--against", help="A git revision whose contracts must stay valid, too.")]


@app.command()
def build(
    root: Root = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write what breaks subscribers, too: before a release.")
    ] = False,
) -> None:
    """Write contracts/ from the code. Refuses, with exit code 8, to write what would break a subscriber."""
    home = _home(root)
    files = _generate(home)
    if not force:
        _refuse(_breaches(home, files, None), as_json=False)
    changed = [path for path, text in files.items() if _read(home / CONTRACTS / path) != text]
    for path in changed:
        file = home / CONTRACTS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[path], encoding="utf-8", newline="\n")
        console.out.print(f"{CONTRACTS / path}", highlight=False)
    console.say(f"{len(changed)} of {len(files)} contracts were written")


@app.command()
def check(root: Root = None, against: Against = None, as_json: AsJson = False) -> None:
    """Check that contracts/ says what the code does (else exit code 1) and that no change breaks a subscriber (else 8).

    Compared are the contracts as they are in the files, in the last commit, and in the revision named with --against.
    """
    home = _home(root)
    files = _generate(home)
    _refuse(_breaches(home, files, against), as_json=as_json)
    stale = [path for path, text in sorted(files.items()) if _read(home / CONTRACTS / path) != text]
    if as_json:
        console.print_json({"contracts": len(files), "stale": stale, "breaches": []})
    if stale:
        raise CommandFailed(f"not what the code says: {', '.join(stale)}", "till contracts build")
    console.say(f"{len(files)} contracts are what the code says, and break nobody")


def _refuse(breaches: list[str], *, as_json: bool) -> None:
    if not breaches:
        return
    if as_json:
        console.print_json({"breaches": breaches})
    else:
        for line in breaches:
            console.out.print(line, markup=False, highlight=False)
        console.hint("a changed meaning is a new class with version=2 beside the old one; see contracts/CONVENTIONS.md")
    raise Leave(Exit.CONTRACT_BREACH)


def _breaches(home: Path, files: Mapping[str, str], against: str | None) -> list[str]:
    from till_events.contract.compatibility import breaches

    proposed = _schemas(files)
    found = breaches(_schemas(_kept(home)), proposed)
    for revision in ("HEAD", against):
        if revision is not None:
            found += breaches(_schemas(_committed(home, revision, required=revision == against)), proposed)
    return sorted({f"{CONTRACTS}/{breach}" for breach in found})


def _generate(home: Path) -> dict[str, str]:
    from till_events import catalogue
    from till_events.base import declarations
    from till_events.contract.asyncapi import asyncapi
    from till_events.contract.sample import read_sample
    from till_events.contract.schema import event_schema, schema_path
    from till_events.contract.text import as_json, as_yaml

    assert catalogue  # importing it declares every event
    samples = [
        read_sample(
            path.relative_to(home / GOLDEN).as_posix(),
            path.read_bytes(),
            path.with_suffix(".headers.json").read_bytes(),
        )
        for path in sorted((home / GOLDEN).rglob("*.json"))
        if not path.name.endswith(".headers.json")
    ]
    public = [declared for declared in declarations() if declared.public]
    files = {schema_path(declared): as_json(event_schema(declared, samples)) for declared in public}
    files["asyncapi.yaml"] = MADE + as_yaml(asyncapi(public, samples))
    access = yaml.safe_load(_read(home / CONTRACTS / "access.yaml") or "{}")
    for name, (openapi, reach) in _services().items():
        files[f"openapi/{name}.json"] = as_json(openapi)
        access[name] = reach
    files["access.yaml"] = MADE + as_yaml(dict(sorted(access.items())))
    return files


def _services() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What each installed service answers over HTTP, and which topics it reaches. What is not installed keeps its contracts."""
    found = {}
    for entry in sorted(entry_points(group="tillstream.services"), key=lambda entry: entry.name):
        if find_spec(entry.module.partition(".")[0]) is not None:
            from till_platform.service import openapi

            service = _load(entry)
            found[entry.name] = (openapi(service), _reach(service))
    return found


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()()
    except ImportError as error:
        raise CommandFailed(f"the service {entry.name} cannot be loaded: {error}") from error


def _reach(service: Any) -> dict[str, Any]:
    from till_events.base import declaration_of
    from till_events.topics import topic_of
    from till_platform.kafka.principals import of_service

    reads: dict[str, list[str]] = {}
    for cls in service.reads:
        declared = declaration_of(cls)
        reads.setdefault(topic_of(declared.owner), []).append(f"{declared.name}.v{declared.major}")
    principal = of_service(service.name, service.consumer, service.sources)
    return {
        "principal": principal.name,
        "writes": list(principal.writes),
        "group": principal.group,
        "reads": {topic: reads.get(topic, []) for topic in principal.reads},
    }


def _home(root: Path | None) -> Path:
    here = (root or Path.cwd()).absolute()
    for folder in [here] if root else [here, *here.parents]:
        if (folder / GOLDEN).is_dir():
            return folder
    raise CommandFailed(
        f"{here} is not in the repository of Tillstream", "till contracts check --root PATH", Exit.NOT_FOUND
    )


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _kept(home: Path) -> Iterator[tuple[str, str]]:
    for file in sorted((home / CONTRACTS / "events").rglob("*.json")):
        yield file.relative_to(home / CONTRACTS).as_posix(), file.read_text(encoding="utf-8")


def _committed(home: Path, revision: str, *, required: bool) -> Iterator[tuple[str, str]]:
    try:
        tree = _git(home, "ls-tree", "-r", "--name-only", "--full-tree", revision, "--", f"{CONTRACTS}/events")
        for name in tree.splitlines():
            yield name.removeprefix(f"{CONTRACTS}/"), _git(home, "show", f"{revision}:{name}")
    except (OSError, subprocess.CalledProcessError) as error:
        if required:
            raise CommandFailed(f"git knows no contracts at {revision}", "git fetch", Exit.NOT_FOUND) from error


def _git(home: Path, *words: str) -> str:
    command = ["git", "-C", str(home), *words]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout  # noqa: S603 - git, asked to read


def _schemas(files: Mapping[str, str] | Iterator[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    pairs = files.items() if isinstance(files, Mapping) else files
    return {path: msgspec.json.decode(text) for path, text in pairs if path.startswith("events/")}
