import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from till_platform.kafka.principals import Rule, of_service, of_subscriber
from tillstream.access.services import principals_of_services
from tillstream.exits import CommandFailed, Exit
from tillstream.main import app

TABLE = yaml.safe_load((Path(__file__).parents[3] / "contracts/access.yaml").read_text())


def till(*words, **environment):
    return CliRunner().invoke(app, ["access", *words], env={"TILL_KAFKA": None, **environment})


def test_a_service_may_write_its_own_topic_and_nothing_else():
    order = of_service("order", "order.worker", ["loyalty", "order"])
    assert order.name == "till.order"
    assert order.rules == [
        Rule("topic", "till.order", "WRITE"),
        Rule("topic", "till.loyalty", "READ"),
        Rule("topic", "till.order", "READ"),
        Rule("group", "till.order.worker", "READ"),
    ]


def test_a_service_may_read_its_own_topic_to_see_whether_it_is_as_it_was_left():
    assert Rule("topic", "till.order", "READ") in of_service("order", "order.worker", ["loyalty"]).rules


def test_a_system_outside_writes_nothing_and_reads_in_groups_of_its_own():
    rules = of_subscriber("bi", ["till.order"]).rules
    assert rules == [Rule("topic", "till.order", "READ"), Rule("group", "till.bi.", "READ", prefixed=True)]


def test_installations_on_one_cluster_share_no_principal_topic_or_group():
    names = {rule.name for rule in of_service("order", "order.worker", ["loyalty"], "test").rules}
    assert all(name.startswith("test.") for name in names)


def test_what_is_let_in_is_what_the_table_says():
    for name, principal in principals_of_services("till").items():
        row = TABLE[name]
        assert principal.name == row["principal"]
        assert (list(principal.writes), principal.group) == (row["writes"], row["group"])
        assert list(principal.reads) == sorted(row["reads"])


@pytest.mark.parametrize("name", ["order", "Bi", "b.i", "-bi", "", "bi*"])
def test_a_name_that_could_be_taken_for_another_is_refused(name):
    assert till("grant", "--topics", "order", "--strimzi", "--", name).exit_code == Exit.USAGE


def test_a_subscriber_for_strimzi():
    granted = till(
        "grant", "bi", "--topics", "order,till.loyalty", "--bytes-per-second", "500", "--strimzi", "--cluster", "shop"
    )
    user = yaml.safe_load(granted.stdout)
    assert (user["apiVersion"], user["kind"]) == ("kafka.strimzi.io/v1", "KafkaUser")
    assert user["metadata"] == {"name": "till.bi", "labels": {"strimzi.io/cluster": "shop"}}
    assert user["spec"]["quotas"] == {"consumerByteRate": 500}
    acls = user["spec"]["authorization"]["acls"]
    assert [(one["resource"]["type"], one["resource"]["name"], one["operations"]) for one in acls] == [
        ("topic", "till.loyalty", ["Read"]),
        ("topic", "till.order", ["Read"]),
        ("group", "till.bi.", ["Read"]),
    ]


def test_the_services_topics_and_users_for_strimzi():
    found = list(yaml.safe_load_all(till("resources", TILL_PARTITIONS="24", TILL_REPLICATION="3").stdout))
    topics = {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == "KafkaTopic"}
    assert sorted(topics) == sorted(f"till.{name}" for name in TABLE)
    assert {(spec["partitions"], spec["replicas"]) for spec in topics.values()} == {(24, 3)}
    assert {spec["config"]["retention.ms"] for spec in topics.values()} == {"-1"}
    assert len([one for one in found if one["kind"] == "KafkaUser"]) == len(TABLE)
    assert json.loads(till("resources", "--json").stdout)


def test_a_kafka_that_lets_in_everybody_has_nothing_to_grant():
    refused = till("list", TILL_KAFKA="127.0.0.1:9")
    assert isinstance(refused.exception, CommandFailed)
    assert "lets in everybody" in refused.exception.detail


def test_without_a_stack_and_without_an_address_there_is_no_kafka(tmp_path):
    assert till("list", "--data-dir", str(tmp_path)).exception.code == Exit.UNAVAILABLE


def test_the_page_tells_the_table_as_it_is():
    page = (Path(__file__).parents[3] / "docs/access.md").read_text()
    for row in TABLE.values():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{row['principal']}` |")]
        reads = (
            "all five" if len(row["reads"]) == len(TABLE) else ", ".join(f"`{topic}`" for topic in sorted(row["reads"]))
        )
        assert line == f"| `{row['principal']}` | `{row['writes'][0]}` | {reads} | `{row['group']}` |"
