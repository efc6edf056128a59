"""The boards are those that are told in tools/dashboards.py, and every alert has its runbook."""

import importlib.util
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "observability"
BOOKS = ROOT / "docs" / "runbooks"


def test_every_board_is_what_its_source_says():
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools" / "dashboards.py")
    dashboards = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dashboards)
    assert {path.name: path.read_text() for path in (FOLDER / "dashboards").iterdir()} == dashboards.boards()


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    named = {rule["annotations"]["runbook"] for rule in rules}
    there = {f"docs/runbooks/{path.name}" for path in BOOKS.glob("*.md") if path.stem != "README"}
    assert named == there
    listed = (BOOKS / "README.md").read_text()
    assert all(f"`{rule['alert']}`" in listed for rule in rules)
    assert {rule["labels"]["severity"] for rule in rules} <= {"page", "ticket"}
