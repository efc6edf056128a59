"""The boards are those that are told in tools/boards.py and can be read; every alert has its runbook, and a picture of what it is about."""

import importlib.util
import json
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser as promql
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "observability"
BOOKS = ROOT / "docs" / "runbooks"
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
ROW = 24
# As Grafana spells them: https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
UNITS = {"short", "s", "bytes", "percentunit", "eps", "reqps", "ops", "bool_on_off"}


@pytest.fixture
def dashboards(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools")
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools" / "dashboards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_board_and_the_operators_rules_are_what_their_sources_say(dashboards):
    files = [*(FOLDER / "dashboards").iterdir(), FOLDER / "prometheus-rule.yaml"]
    assert {str(path.relative_to(FOLDER)): path.read_text() for path in files} == dashboards.made()
    assert yaml.safe_load((FOLDER / "prometheus-rule.yaml").read_text())["spec"] == ALERTS


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    named = {rule["annotations"]["runbook"] for rule in RULES}
    there = {f"docs/runbooks/{path.name}" for path in BOOKS.glob("*.md") if path.stem != "README"}
    assert named == there
    listed = (BOOKS / "README.md").read_text()
    assert all(f"`{rule['alert']}`" in listed for rule in RULES)
    assert {rule["labels"]["severity"] for rule in RULES} <= {"page", "ticket"}


def test_boards_are_told_apart_and_ask_the_prometheus_that_is_chosen():
    assert len({board["uid"] for board in BOARDS.values()}) == len({board["title"] for board in BOARDS.values()}) == 5
    for board in BOARDS.values():
        source, service = board["templating"]["list"]
        assert (source["type"], source["query"]) == ("datasource", "prometheus")
        asked = [service, *board["panels"], *(one for panel in board["panels"] for one in panel["targets"])]
        assert all(one["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"} for one in asked)


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{name} {panel['title']}" for name, panel in PANELS])
def test_a_picture_says_what_it_shows_in_a_unit_with_a_name_for_each_line(name, panel):
    shown = panel["fieldConfig"]["defaults"]
    assert panel["description"]
    assert shown["unit"] in UNITS
    assert len({one["refId"] for one in panel["targets"]}) == len(panel["targets"]) > 0
    for target in panel["targets"]:
        grouped = [label for by in groupings(promql.parse(plain(target["expr"]))) for label in by]
        told = {label for label in grouped if label != "le"}
        assert target["legendFormat"]
        assert all(f"{{{{{label}}}}}" in target["legendFormat"] for label in told), "lines that look the same"
    steps = [step["value"] for step in shown["thresholds"]["steps"]]
    assert steps[0] is None
    assert ("custom" in shown) == (len(steps) == 2)


@pytest.mark.parametrize("name", BOARDS)
def test_pictures_do_not_lie_over_each_other_and_leave_no_hole(name):
    panels = BOARDS[name]["panels"]
    covered = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in panels)
    ]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert all(not one & other for one, other in combinations(covered, 2))
    assert all(x < ROW for places in covered for x, _ in places)
    assert {y for places in covered for _, y in places} == set(
        range(max(y for places in covered for _, y in places) + 1)
    )


def test_what_is_told_by_otlp_as_well_is_not_counted_twice():
    """Prometheus names what it asked for itself `job="till"`; what a collector hands on has another one."""
    asked = [*(rule["expr"] for rule in RULES), *(one["expr"] for _, panel in PANELS for one in panel["targets"])]
    for query in asked:
        for selector in selectors(query):
            assert ("job", "till") in {(one.name, one.value) for one in selector.matchers.matchers}, query


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_the_line_at_which_an_alert_speaks_up_is_drawn_in_a_picture_of_it(rule):
    assert limit(rule) in {
        line
        for _, panel in PANELS
        if metrics(rule["expr"]) == {one for target in panel["targets"] for one in metrics(target["expr"])}
        for line in lines(panel)
    }


def test_every_line_that_is_drawn_is_that_of_an_alert():
    limits = {(frozenset(metrics(rule["expr"])), limit(rule)) for rule in RULES}
    for name, panel in PANELS:
        shown = frozenset(one for target in panel["targets"] for one in metrics(target["expr"]))
        assert {(shown, line) for line in lines(panel)} <= limits, (name, panel["title"])


def plain(query: str) -> str:
    return query.replace("$__rate_interval", "1m")


def lines(panel: dict[str, Any]) -> list[float]:
    return [
        step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"] if step["value"] is not None
    ]


def limit(rule: dict[str, Any]) -> float:
    """Return where the line belongs: of what is counted, the first that is too many; of a share that is wrong, the one that is right."""
    query = promql.parse(rule["expr"])
    while str(query.op) == "or":
        query = query.lhs
    value = query.rhs.val
    if str(query.op) == "==":  # up == 0
        return value + 1
    if rule["alert"] == "TillErrors":  # 1 - answers that were no errors
        return 1 - value
    return 1 if (str(query.op), value) == (">", 0) else value


def metrics(query: str) -> set[str]:
    return {selector.name for selector in selectors(query)}


def selectors(query: str) -> list[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(promql.parse(plain(query)), visit)
    return found


def groupings(query: promql.Expr) -> list[list[str]]:
    """Return the labels by which the outermost aggregation tells lines apart."""
    found: list[list[str]] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.AggregateExpr):
            found.append(node.modifier.labels if node.modifier else [])
        return not found

    promql.walk(query, visit)
    return found
