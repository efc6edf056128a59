from dataclasses import asdict
from typing import TYPE_CHECKING

from typer import Exit as Leave

from tillstream import console
from tillstream.exits import Exit
from tillstream.local.directory import DataDirectory
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir

if TYPE_CHECKING:
    from tillstream.local.finding import Finding


def doctor(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Look the stack over and print, for each problem, the command that mends it. Exit code 1 when something is wrong."""
    from tillstream.local.examination import examine  # its clients of Kafka and Valkey take a second to import

    findings = examine(DataDirectory(data_dir))
    if as_json:
        console.print_json(
            {"healthy": all(finding.ok for finding in findings), "findings": [asdict(finding) for finding in findings]}
        )
    else:
        for finding in findings:
            _print(finding)
    if not all(finding.ok for finding in findings):
        raise Leave(Exit.FAILURE)


def _print(finding: "Finding") -> None:
    mark, style = ("✓", "green") if finding.ok else ("✗", "bold red")
    console.out.print(f"[{style}]{mark}[/] {finding.name}: ", end="")
    console.out.print(finding.detail, markup=False, highlight=False)
    if not finding.ok:
        console.out.print(f"  → {finding.remedy}", style="cyan", markup=False, highlight=False)
