import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from fastapi import APIRouter
from typer.testing import CliRunner

from till_events.customer import CustomerRegistered
from till_events.order import OrderPlaced
from till_platform.projections.projection import Projection
from till_platform.service import Service
from tillstream.commands import contracts
from tillstream.exits import CommandFailed, Exit

ROOT = Path(__file__).parents[3]
PLACED = "contracts/events/order/OrderPlaced.v1.json"


def till(*words):
    return CliRunner().invoke(contracts.app, words)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A repository of its own in which nothing was built and no service is installed."""
    shutil.copytree(ROOT / "libs/events/golden", tmp_path / "libs/events/golden")
    monkeypatch.setattr(contracts, "entry_points", lambda group: [])
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def built(empty):
    """The same with the contracts of the events, as they are published now."""
    shutil.copytree(ROOT / "contracts/events", "contracts/events")
    shutil.copy(ROOT / "contracts/asyncapi.yaml", "contracts/asyncapi.yaml")
    Path("contracts/access.yaml").write_text(f"{contracts.MADE}{{}}\n", encoding="utf-8")


def git(*words):
    identity = ["-c", "user.name=Anna", "-c", "user.email=anna@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def edit(change, path=PLACED):
    """Let the published contract be another one, so that the code is what changed it."""
    schema = json.loads(Path(path).read_text(encoding="utf-8"))
    change(schema)
    Path(path).write_text(json.dumps(schema), encoding="utf-8")


def with_a_number_for_a_name(schema):
    schema["properties"]["number"]["type"] = "integer"


def without_the_comment(schema):
    del schema["properties"]["comment"]


def test_what_was_built_is_what_the_code_says(empty):
    built = till("build")
    assert built.exit_code == 0
    assert PLACED in built.stdout.splitlines()
    assert till("check").exit_code == 0


def test_building_what_is_built_writes_nothing(built):
    assert till("build").stdout == ""


def test_a_file_that_is_not_what_the_code_says_is_named(built):
    edit(without_the_comment)
    checked = till("check")
    assert isinstance(checked.exception, CommandFailed)
    assert checked.exception.code == Exit.FAILURE
    assert "events/order/OrderPlaced.v1.json" in checked.exception.detail


def test_a_breach_is_one_line_and_exit_code_8(built):
    edit(with_a_number_for_a_name)
    checked = till("check")
    assert checked.exit_code == Exit.CONTRACT_BREACH == 8
    assert checked.stdout.splitlines() == [
        f"{PLACED}: new readers could not read what was recorded (number was integer and is string)"
    ]


def test_a_breach_is_told_to_programs_too(built):
    edit(with_a_number_for_a_name)
    checked = till("check", "--json")
    assert checked.exit_code == 8
    assert len(json.loads(checked.stdout)["breaches"]) == 1


def test_a_breach_is_not_written_over_unless_forced(built):
    edit(with_a_number_for_a_name)
    before = Path(PLACED).read_text(encoding="utf-8")
    assert till("build").exit_code == 8
    assert Path(PLACED).read_text(encoding="utf-8") == before
    assert till("build", "--force").exit_code == 0
    assert till("check").exit_code == 0


def test_writing_the_files_anew_does_not_hide_a_breach_of_the_last_commit_or_of_a_release(built):
    edit(with_a_number_for_a_name)
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "feat: published")
    git("tag", "v1")
    till("build", "--force")
    assert till("check").exit_code == 8
    git("commit", "-q", "-a", "-m", "feat: broken")
    assert till("check").exit_code == 0
    assert till("check", "--against", "v1").exit_code == 8


def test_a_revision_git_does_not_know_is_an_error(built):
    checked = till("check", "--against", "v99")
    assert checked.exception.code == Exit.NOT_FOUND


def test_an_event_that_was_taken_away_is_a_breach(built):
    shutil.copy(PLACED, "contracts/events/order/OrderTeleported.v1.json")
    checked = till("check")
    assert checked.exit_code == 8
    assert checked.stdout == "contracts/events/order/OrderTeleported.v1.json: is published and must not disappear\n"


class Installed:
    """An installed service, or one whose installation is broken."""

    name = "order"
    module = "till_platform.service"

    def __init__(self, service):
        self._service = service

    def load(self):
        if self._service is None:
            raise ImportError("no module named till_order.api")
        return lambda: self._service


class OrderCards(Projection):
    """Read models are what a service reads events for."""

    name = "order_cards"
    version = 1
    of = (OrderPlaced, CustomerRegistered)
    tables = ()

    def fold(self, batch, db):
        """Never called here."""


def test_an_installed_service_tells_its_http_api_and_its_reach(built, monkeypatch):
    router = APIRouter(prefix="/v1/orders")
    router.add_api_route("/{order_id}", lambda order_id: order_id)
    service = Service(name="order", projections=(OrderCards(),), routers=(router,))
    monkeypatch.setattr(contracts, "entry_points", lambda group: [Installed(service)])
    assert till("build").stdout.splitlines() == ["contracts/openapi/order.json", "contracts/access.yaml"]
    assert "/v1/orders/{order_id}" in json.loads(Path("contracts/openapi/order.json").read_bytes())["paths"]
    assert yaml.safe_load(Path("contracts/access.yaml").read_text())["order"] == {
        "principal": "till.order",
        "writes": ["till.order"],
        "group": "till.order.worker",
        "reads": {"till.customer": ["CustomerRegistered.v1"], "till.order": ["OrderPlaced.v1"]},
    }


def test_a_service_that_does_not_load_is_an_error_and_not_skipped(built, monkeypatch):
    monkeypatch.setattr(contracts, "entry_points", lambda group: [Installed(None)])
    checked = till("check")
    assert isinstance(checked.exception, CommandFailed)
    assert "the service order cannot be loaded" in checked.exception.detail


def test_a_service_that_is_not_installed_keeps_its_contracts(empty):
    Path("contracts/openapi").mkdir(parents=True)
    Path("contracts/openapi/catalog.json").write_text("{}\n")
    Path("contracts/access.yaml").write_text("catalog:\n  writes:\n  - till.catalog\n")
    assert till("build").exit_code == 0
    assert Path("contracts/openapi/catalog.json").read_text() == "{}\n"
    assert yaml.safe_load(Path("contracts/access.yaml").read_text()) == {"catalog": {"writes": ["till.catalog"]}}


def test_outside_the_repository_there_is_nothing_to_check(empty, tmp_path):
    checked = till("check", "--root", str(tmp_path / "libs"))
    assert checked.exception.code == Exit.NOT_FOUND
