"""Every query of every board and alert finds data in a system that runs; and one that would find none is seen."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from till_platform.testing.running import _free_port, eventually

from .conftest import Operated

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "observability"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
COUNTED = {"till_orders", "till_loyalty_points", "till_messages", "till_database_bytes"}
Series = dict[str, str]


def sides(query: promql.Expr) -> Iterator[promql.Expr]:
    """Return what an alert compares: it finds data when what stands left of the comparison does."""
    if isinstance(query, promql.BinaryExpr) and str(query.op) == "or":
        yield from sides(query.lhs)
        yield from sides(query.rhs)
    elif isinstance(query, promql.BinaryExpr) and str(query.op) in {">", "<", ">=", "<=", "==", "!="}:
        yield query.lhs
    else:
        yield query


def queries() -> list[tuple[str, str]]:
    """Return the queries of all boards and alerts as Prometheus gets them, with what they belong to."""
    found = [
        (f"{name}: {panel['title']}", target["expr"].replace("$__rate_interval", "1m").replace("$service", ".*"))
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    return found + [(rule["alert"], side.prettify()) for rule in RULES for side in sides(promql.parse(rule["expr"]))]


def selectors(query: promql.Expr) -> list[promql.VectorSelector]:
    found = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(query, visit)
    return found


@pytest.fixture(scope="module")
def targets(operated: Operated) -> list[dict]:
    return json.loads(operated.till("status", "--targets").stdout)


@pytest.fixture(scope="module")
def scraped(targets) -> list[Series]:
    """Return every series of every process, once each has counted its read models, which takes half a minute."""

    def found() -> list[Series] | None:
        series = [one for target in targets for one in series_of(target)]
        return series if {one["__name__"] for one in series} >= COUNTED else None

    return eventually(found, within=90, every=2)


def series_of(target: dict) -> list[Series]:
    """Return what a process tells, as its labels with its name among them; `up` is what Prometheus itself adds."""
    (address,) = target["targets"]
    own = target["labels"]
    text = httpx2.get(f"http://{address}/metrics").text
    told = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return [{"__name__": "up", **own}, *({"__name__": sample.name, **sample.labels, **own} for sample in told)]


def matches(series: Series, selector: promql.VectorSelector) -> bool:
    if selector.name and series["__name__"] != selector.name:
        return False
    for matcher in selector.matchers.matchers:
        value, op = series.get(matcher.name, ""), str(matcher.op)
        equal = re.fullmatch(matcher.value, value) if "Re" in op or "~" in op else value == matcher.value
        if bool(equal) == ("Not" in op or "!" in op):
            return False
    return True


def unfound(query: str, scraped: list[Series]) -> list[str]:
    return [
        selector.prettify()
        for selector in selectors(promql.parse(query))
        if not any(matches(series, selector) for series in scraped)
    ]


@pytest.mark.parametrize(("where", "query"), queries(), ids=[f"{where} {n}" for n, (where, _) in enumerate(queries())])
def test_each_name_and_label_of_a_query_is_in_a_running_system(where, query, scraped):
    assert selectors(promql.parse(query)), query
    assert unfound(query, scraped) == [], where


@pytest.mark.parametrize(
    "query",
    ["sum(rate(till_no_such_thing_total[5m]))", 'max(till_dead_letters{consumer="nobody"})', 'up{service!~".*"}'],
)
def test_control_a_query_that_finds_nothing_is_seen(query, scraped):
    assert unfound(query, scraped) != []


def answered(answer: httpx2.Response) -> list:
    return answer.json()["data"]["result"] if answer.status_code == 200 else []


@pytest.fixture(scope="module")
def prometheus(targets, tmp_path_factory) -> Iterator[httpx2.Client]:
    """A real Prometheus that collects every second and has our rules."""
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("the queries were NOT evaluated by Prometheus: it is not installed (apt install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    for name in ("alerts.yaml", "prometheus.yaml"):
        shutil.copy(FOLDER / name, folder)
    settings = (folder / "prometheus.yaml").read_text().replace("_interval: 15s", "_interval: 1s")
    (folder / "prometheus.yaml").write_text(settings)
    (folder / "targets.json").write_text(json.dumps(targets))
    port = _free_port()
    command = [program, "--config.file=prometheus.yaml", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([*command, "--storage.tsdb.path=data"], cwd=folder, stdout=log, stderr=log)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            twice = {"query": "min(count_over_time(till_dead_letters[1m])) > 2"}
            eventually(lambda: answered(client.get("/api/v1/query", params=twice)), within=90)
            yield client
    finally:
        running.terminate()
        running.wait(30)


def test_prometheus_finds_data_with_every_query(prometheus):
    def found(query: str) -> list:
        answer = prometheus.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    assert {f"{where}: {query}" for where, query in queries() if not found(query)} == set()
    assert not found("sum(till_no_such_thing)")


def test_prometheus_takes_every_rule_and_none_fires_where_all_is_well(prometheus):
    def rules() -> dict[str, str]:
        groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    eventually(lambda: rules() == {rule["alert"]: "ok" for rule in RULES}, within=30)
    firing = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
    assert [one["labels"]["alertname"] for one in firing if one["state"] == "firing"] == []
