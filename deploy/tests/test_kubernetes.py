"""deploy/k8s: what the rendered overlays promise to whoever runs a chain on Kubernetes."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from till_platform.audit.keys import SigningKey
from till_platform.kafka.topics import KEPT_FOR_EVER

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy" / "k8s"
OVERLAYS = ("minimal", "production", "external")
SERVICES = ("order", "customer", "loyalty", "notification", "analytics")
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
LONGEST_STATEMENT_SECONDS = 60
THE_SITES = (
    "CKV_K8S_43",
    "CKV_K8S_15",
)  # digest and pull policy of our own image: where it comes from is the site's to say
Find = Callable[[str], Path]
Resource = dict[str, Any]

pytestmark = pytest.mark.timeout(180)


def render(kubectl: Path, folder: Path) -> str:
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def changed_production(folder: Path, old: str, new: str) -> Path:
    """Copy everything, choose otherwise in the overlay `production`, and return where that is."""
    for part in (HERE, HERE.parent / "observability"):
        shutil.copytree(part, folder / part.name)
    file = folder / "k8s" / "overlays" / "production" / "kustomization.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file.parent


@pytest.fixture(scope="session", params=[*OVERLAYS, "gateway"])
def rendered(request: pytest.FixtureRequest, program: Find, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Each overlay as it would be applied, and production with the Gateway API in place of an ingress."""
    kubectl = program("kubectl")
    if request.param != "gateway":
        return render(kubectl, HERE / "overlays" / request.param)
    folder = tmp_path_factory.mktemp("deploy")
    return render(kubectl, changed_production(folder, "components/ingress # or gateway-api", "components/gateway-api"))


@pytest.fixture(scope="session")
def resources(rendered: str) -> list[Resource]:
    return list(yaml.load_all(rendered, Loader=yaml.CSafeLoader))


@pytest.fixture(scope="session")
def production(program: Find) -> list[Resource]:
    return list(yaml.load_all(render(program("kubectl"), HERE / "overlays" / "production"), Loader=yaml.CSafeLoader))


def of(resources: list[Resource], *kinds: str) -> list[Resource]:
    return [one for one in resources if one["kind"] in kinds]


def pods(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """Yield the template of every pod, with what makes it."""
    for one in of(resources, "Deployment", "StatefulSet", "Job"):
        yield f"{one['kind']} {one['metadata']['name']}", one["spec"]["template"]
    for one in of(resources, "CronJob"):
        yield f"CronJob {one['metadata']['name']}", one["spec"]["jobTemplate"]["spec"]["template"]


def containers(template: Resource) -> list[Resource]:
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def settings_of(resources: list[Resource], container: Resource) -> dict[str, str]:
    maps = {one["metadata"]["name"]: one["data"] for one in of(resources, "ConfigMap")}
    told: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        told |= maps[source["configMapRef"]["name"]]
    return told


def is_selected(selector: Resource, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ()))


@pytest.fixture(scope="session")
def everything(program: Find, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All overlays in one file, each resource once: these checks take long."""
    found = [
        one
        for name in OVERLAYS
        for one in yaml.load_all(render(program("kubectl"), HERE / "overlays" / name), Loader=yaml.CSafeLoader)
    ]
    routes = [
        one
        for file in (HERE / "components" / "gateway-api").glob("[!k]*.yaml")
        for one in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
    ]
    file = tmp_path_factory.mktemp("rendered") / "all.yaml"
    file.write_text(
        yaml.safe_dump_all(json.loads(one) for one in dict.fromkeys(json.dumps(one) for one in [*found, *routes]))
    )
    return file


@pytest.mark.integration
@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_is_what_this_version_of_kubernetes_takes(version: str, everything: Path, program: Find) -> None:
    checked = subprocess.run(
        [program("kubernetes-validate"), "--strict", "--no-warn", "-k", version, everything],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_control_a_field_that_does_not_exist_is_found(program: Find, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 1}], colour: red}\n"
    )

    checked = subprocess.run(
        [program("kubernetes-validate"), "--strict", "-k", VERSIONS[-1], tmp_path / "one.yaml"],
        capture_output=True,
        check=False,
    )

    assert checked.returncode != 0


def test_custom_resources_have_the_fields_their_operators_read(resources: list[Resource]) -> None:
    schemas = {(read := json.loads(file.read_text()))["title"]: read for file in (HERE / "schemas").glob("*.json")}
    custom = [
        one
        for one in resources
        if re.search(r"\.(io|sh|com)/", one["apiVersion"]) and "k8s.io/" not in one["apiVersion"]
    ]
    custom += of(resources, "Gateway", "HTTPRoute")

    for one in custom:
        schema = schemas[f"{one['apiVersion']}/{one['kind']}"]
        shape = {key: value for key, value in one.items() if key != "metadata"} | {"metadata": one["metadata"]}
        jsonschema.validate(shape, schema)


def test_control_acls_as_they_were_written_before_version_1_are_refused() -> None:
    schema = json.loads((HERE / "schemas" / "kafkauser.json").read_text())
    user = next(yaml.load_all((HERE / "components/strimzi/users.yaml").read_text(), Loader=yaml.CSafeLoader))
    jsonschema.validate(user, schema)
    acl = user["spec"]["authorization"]["acls"][0]
    acl["operation"] = acl.pop("operations")[0]

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(user, schema)


@pytest.mark.integration
def test_the_policies_that_others_check_are_kept(everything: Path, program: Find) -> None:
    options = [
        "--framework",
        "kubernetes",
        "--compact",
        "--quiet",
        "--skip-download",
        "--skip-check",
        ",".join(THE_SITES),
    ]

    checked = subprocess.run(
        [program("checkov"), "--file", everything, *options], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_every_container_has_limits_and_no_more_rights_than_it_needs(resources: list[Resource]) -> None:
    for name, template in pods(resources):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in containers(template):
            confined = container["securityContext"]
            assert confined["capabilities"] == {"drop": ["ALL"]}, name
            assert confined["readOnlyRootFilesystem"], name
            assert not confined["allowPrivilegeEscalation"], name
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys() & container["resources"][
                "requests"
            ].keys(), name
    (namespace,) = of(resources, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_runs_for_long_is_probed_and_given_time_to_end(resources: list[Resource]) -> None:
    for one in of(resources, "Deployment", "StatefulSet"):
        spec = one["spec"]["template"]["spec"]
        for container in spec["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), one["metadata"]["name"]
            if container["image"].startswith("tillstream"):
                assert container["livenessProbe"]["httpGet"]["path"] == "/livez"  # the process only
                assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
                paused = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                assert spec["terminationGracePeriodSeconds"] > LONGEST_STATEMENT_SECONDS + paused
                assert len(spec["topologySpreadConstraints"]) == 2


def test_each_service_has_all_its_parts_and_each_part_may_be_disturbed_one_at_a_time(resources: list[Resource]) -> None:
    for service in SERVICES:
        kinds = {
            "api": "Deployment",
            "worker": "StatefulSet",
            "relay": "Deployment",
            "migrate": "Job",
            "rebuild": "CronJob",
        }
        for part, kind in kinds.items():
            (found,) = [one for one in of(resources, kind) if one["metadata"]["name"] == f"{service}-{part}"]
            (template,) = [template for name, template in pods(resources) if name == f"{kind} {service}-{part}"]
            assert template["spec"]["containers"][0]["command"] == [f"till-{service}", part]
            if part == "rebuild":
                assert found["spec"]["suspend"]
        budgets = [
            one for one in of(resources, "PodDisruptionBudget") if one["metadata"]["name"].startswith(f"{service}-")
        ]
        assert len(budgets) == 3
        for budget in budgets:
            selected = [
                name
                for name, template in pods(resources)
                if is_selected(budget["spec"]["selector"], template["metadata"]["labels"])
            ]
            assert [name.partition(" ")[2] for name in selected] == [budget["metadata"]["name"]]


def test_consumers_keep_their_names_and_are_never_more_than_there_are_partitions(resources: list[Resource]) -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of(resources, "ScaledObject")}
    for worker in of(resources, "StatefulSet"):
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        partitions = int(settings_of(resources, container)["TILL_PARTITIONS"])
        assert container["env"] == [
            {"name": "TILL_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        ]
        assert worker["spec"].get("replicas", 1) <= partitions
        if scaled:
            own = scaled[worker["metadata"]["name"]]
            assert "replicas" not in worker["spec"]  # or every apply would set it back
            assert 1 <= own["minReplicaCount"] <= own["fallback"]["replicas"] <= own["maxReplicaCount"] <= partitions
    for topic in of(resources, "KafkaTopic"):
        assert topic["spec"]["partitions"] == partitions
        assert {key: str(value) for key, value in topic["spec"]["config"].items()}.items() >= KEPT_FOR_EVER.items()


def test_every_variable_is_one_that_the_service_reads_and_every_file_is_mounted(resources: list[Resource]) -> None:
    known = {point.name: point.load()().settings.model_fields for point in entry_points(group="tillstream.services")}
    for name, template in pods(resources):
        service = template["metadata"]["labels"]["app.kubernetes.io/name"]
        for container in containers(template) if service in known else ():
            variables = {f"TILL_{field.upper()}" for field in known[service]}
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
            for variable, value in settings_of(resources, container).items():
                assert variable in variables or variable.removesuffix("_FILE") in variables, variable
                if variable.endswith("_FILE") and value:
                    folder, _, file = value.rpartition("/")
                    source = volumes[mounts[folder]]
                    items = (source.get("secret") or source["configMap"])["items"]
                    assert file in {item["path"] for item in items}, (name, variable)


def test_a_service_has_its_own_database_and_its_own_name_in_kafka(resources: list[Resource]) -> None:
    for name, template in pods(resources):
        service = template["metadata"]["labels"]["app.kubernetes.io/name"]
        if service not in SERVICES:
            continue
        for container in containers(template):
            told = settings_of(resources, container)
            assert told["TILL_KAFKA_USER"] == f"till.{service}", name
            assert told["TILL_PG"].startswith(f"postgresql://till_{service}@") or told["TILL_PG_FILE"], name
        secrets = {volume["secret"]["secretName"] for volume in template["spec"]["volumes"] if "secret" in volume}
        assert {f"{service}-database", f"till.{service}"} <= secrets
        assert not {f"{other}-database" for other in SERVICES if other != service} & secrets


def test_each_service_signs_its_log_with_a_key_that_only_its_worker_has(resources: list[Resource]) -> None:
    for name, template in pods(resources):
        service = template["metadata"]["labels"]["app.kubernetes.io/name"]
        signing = name == f"StatefulSet {service}-worker"
        keys = {
            volume["secret"]["secretName"]
            for volume in template["spec"].get("volumes", ())
            if volume.get("secret", {}).get("secretName", "").endswith("-audit")
        }
        told = [
            container
            for container in containers(template)
            if "TILL_AUDIT_KEY_FILE" in settings_of(resources, container)
        ]
        assert keys == ({f"{service}-audit"} if signing else set()), name
        assert told == (template["spec"]["containers"] if signing else []), name


def test_no_secret_stands_in_what_is_applied(rendered: str, resources: list[Resource]) -> None:
    assert not of(resources, "Secret")
    assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", rendered)
    for _, template in pods(resources):
        for container in containers(template):
            assert not [one for one in container.get("env", ()) if "value" in one]
    told = {key for one in of(resources, "ConfigMap") for key in one["data"] if re.search("PASSWORD|SECRET|TOKEN", key)}
    assert all(key.endswith("_FILE") for key in told)


def reached(resources: list[Resource], labels: dict[str, str]) -> set[str]:
    """Return where a pod with these labels may connect to: the names of ALLOWED, or the rule itself if it is none of them."""
    policies = [one["spec"] for one in of(resources, "NetworkPolicy")]
    applying = [
        spec for spec in policies if is_selected(spec["podSelector"], labels) and "Egress" in spec["policyTypes"]
    ]
    assert any("egress" not in spec for spec in applying), "what is not allowed is not denied"
    edges = [
        json.dumps([rule["to"], rule["ports"]], sort_keys=True) for spec in applying for rule in spec.get("egress", ())
    ]
    return {next((name for name, known in ALLOWED.items() if known == edge), edge) for edge in edges}


def edge(*ports: str, **to: Any) -> str:
    listed = [{"protocol": word.split(":")[0], "port": int(word.split(":")[1])} for word in ports]
    return json.dumps([[to], listed], sort_keys=True)


def namespace(name: str) -> Resource:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]
KAFKA = {"strimzi.io/cluster": "tillstream-kafka", "strimzi.io/name": "tillstream-kafka-kafka"}
VALKEY = {"app.kubernetes.io/name": "valkey", "app.kubernetes.io/component": "cache"}
ALLOWED = {
    "names": edge(
        "UDP:53",
        "TCP:53",
        namespaceSelector=namespace("kube-system"),
        podSelector={"matchLabels": {"k8s-app": "kube-dns"}},
    ),
    "kafka": edge("TCP:9093", podSelector={"matchLabels": KAFKA}),
    "database": edge("TCP:5432", podSelector={"matchLabels": {"cnpg.io/cluster": "tillstream-db"}}),
    "cache": edge("TCP:6379", podSelector={"matchLabels": VALKEY}),
    "telemetry": edge("TCP:4318", namespaceSelector=namespace("monitoring")),
    "webhooks": edge("TCP:443", ipBlock={"cidr": "0.0.0.0/0", "except": PRIVATE}),
    "outside": edge("TCP:443", "TCP:465", "TCP:587", ipBlock={"cidr": "0.0.0.0/0", "except": PRIVATE}),
}


def test_a_service_reaches_kafka_its_database_the_cache_and_telemetry_and_nothing_else(
    production: list[Resource],
) -> None:
    for name, template in pods(production):
        labels = template["metadata"]["labels"]
        service, part = labels["app.kubernetes.io/name"], labels["app.kubernetes.io/component"]
        wanted = {"names"}
        if service in SERVICES:
            wanted |= {"kafka", "database", "telemetry"}
            wanted |= {"cache"} if service == "loyalty" else set()
            wanted |= {"outside"} if (service, part) == ("notification", "worker") else set()
        assert reached(production, labels) == wanted, name


def test_where_webhooks_are_wanted_workers_reach_public_addresses_and_nobody_else_does(
    production: list[Resource], program: Find, tmp_path: Path
) -> None:
    folder = changed_production(tmp_path, "# - ../../components/webhooks", "- ../../components/webhooks")
    wanted = list(yaml.load_all(render(program("kubectl"), folder), Loader=yaml.CSafeLoader))

    for name, template in pods(wanted):
        labels = template["metadata"]["labels"]
        more = reached(wanted, labels) - reached(production, labels)
        assert more == ({"webhooks"} if name.startswith("StatefulSet") else set()), name


def test_control_a_way_from_service_to_service_is_found(production: list[Resource]) -> None:
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "order"}},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "loyalty"}}}], "ports": []}],
    }
    labels = {
        "app.kubernetes.io/name": "order",
        "app.kubernetes.io/component": "api",
        "app.kubernetes.io/part-of": "tillstream",
    }

    assert (
        len(reached([*production, {"kind": "NetworkPolicy", "spec": spec}], labels))
        == len(reached(production, labels)) + 1
    )


def test_only_the_gateway_and_monitoring_come_in(production: list[Resource]) -> None:
    for name, template in pods(production):
        labels = template["metadata"]["labels"]
        if labels["app.kubernetes.io/name"] not in SERVICES:
            continue
        applying = [
            one["spec"] for one in of(production, "NetworkPolicy") if is_selected(one["spec"]["podSelector"], labels)
        ]
        peers = json.dumps([rule for spec in applying for rule in spec.get("ingress", ())])
        assert ("ingress" in peers) == (labels["app.kubernetes.io/component"] == "api"), name
        assert "podSelector" not in peers, name


def test_principals_may_do_what_the_table_of_access_says(production: list[Resource]) -> None:
    access = yaml.safe_load((ROOT / "contracts" / "access.yaml").read_text())
    for user in of(production, "KafkaUser"):
        table = access[user["metadata"]["name"].removeprefix("till.")]
        rules = {
            (acl["resource"]["type"], acl["resource"]["name"], operation)
            for acl in user["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        }
        assert rules == {
            *(("topic", topic, "Write") for topic in table["writes"]),
            *(("topic", topic, "Read") for topic in table["reads"]),
            ("group", table["group"], "Read"),
        }
    assert len(of(production, "KafkaUser")) == len(SERVICES)


def test_the_secrets_of_an_installation_are_random_and_those_the_pods_ask_for(production: list[Resource]) -> None:
    def made() -> dict[str, Resource]:
        done = subprocess.run([sys.executable, HERE / "make_secrets.py"], check=True, capture_output=True, text=True)
        return {one["metadata"]["name"]: one for one in json.loads(done.stdout)["items"]}

    first, second = made(), made()

    assert first != second
    asked = {
        volume["secret"]["secretName"]: volume["secret"]["items"][0]["key"]
        for _, template in pods(production)
        for volume in template["spec"].get("volumes", ())
        if "secret" in volume
    }
    by_strimzi = {
        "tillstream-kafka-cluster-ca-cert",
        *(user["metadata"]["name"] for user in of(production, "KafkaUser")),
    }
    assert asked.keys() - by_strimzi == first.keys()
    assert all(asked[name] in one["stringData"] for name, one in first.items())
    keys = {SigningKey(first[f"{service}-audit"]["stringData"]["key.pem"]).public.id for service in SERVICES}
    assert len(keys) == len(SERVICES)


def test_alerts_and_boards_come_along_as_they_are_tested(production: list[Resource]) -> None:
    observability = ROOT / "deploy" / "observability"
    (rules,) = of(production, "PrometheusRule")
    boards = {
        file: text
        for one in of(production, "ConfigMap")
        if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for file, text in one["data"].items()
    }

    assert rules["spec"] == yaml.safe_load((observability / "alerts.yaml").read_text())
    assert boards == {file.name: file.read_text() for file in (observability / "dashboards").iterdir()}


def test_images_are_those_of_compose(production: list[Resource]) -> None:
    listed = (ROOT / "deploy" / "compose" / "IMAGES.txt").read_text()
    images = {container["image"] for _, template in pods(production) for container in containers(template)}

    assert {image for image in images if not image.startswith("tillstream:")} <= set(listed.split())
