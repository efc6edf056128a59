"""deploy/k8s, applied to a real API server: it takes every resource, and lets every pod into a restricted namespace.

Nothing runs there, since nobody schedules. `KUBEBUILDER_ASSETS` names a folder with `kube-apiserver` and `etcd`, as setup-envtest makes.
`OPERATOR_CRDS` may name one with the operators' own definitions of their resources; without it those are taken whatever they hold.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from till_platform.testing.running import _free_port, eventually

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy" / "k8s"
OVERLAYS = ("minimal", "production", "external")
Kubectl = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start an API server and what it keeps its things in; return how to reach it."""
    programs = {name: shutil.which(name, path=where()) for name in ("kube-apiserver", "etcd")}
    if not all(programs.values()):
        pytest.skip("deploy/k8s was NOT applied to an API server: KUBEBUILDER_ASSETS names no kube-apiserver and etcd")
    folder = tmp_path_factory.mktemp("api-server")
    client, peer, secure = _free_port(), _free_port(), _free_port()
    kept, token = f"http://127.0.0.1:{client}", secrets.token_hex(16)
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    (folder / "accounts.pem").write_bytes(key)
    (folder / "tokens.csv").write_text(f"{token},operator,operator,system:masters\n")
    commands = [
        [
            programs["etcd"],
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={kept}",
            f"--advertise-client-urls={kept}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
        ],
        [
            programs["kube-apiserver"],
            f"--etcd-servers={kept}",
            "--bind-address=127.0.0.1",
            f"--secure-port={secure}",
            f"--cert-dir={folder / 'certificates'}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'accounts.pem'}",
            f"--service-account-signing-key-file={folder / 'accounts.pem'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # nobody makes the accounts that are there by default
        ],
    ]
    config = folder / "kubeconfig.yaml"
    config.write_text(yaml.safe_dump(reached_at(f"https://127.0.0.1:{secure}", token)))
    with (folder / "log").open("wb") as log:
        running = [subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) for command in commands]
    try:
        yield config
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def kubectl(server: Path, program: Callable[[str], Path]) -> Kubectl:
    def run(*words: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [program("kubectl"), f"--kubeconfig={server}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, input=given)

    eventually(lambda: run("get", "--raw", "/readyz").returncode == 0, within=120, every=0.5)
    done = run("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(kinds_of_operators()))
    assert done.returncode == 0, done.stderr
    run("wait", "--for=condition=established", "--timeout=60s", "crd", "--all")
    return run


@pytest.fixture
def overlay(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[str]:
    """One overlay, rendered; what was made of it goes with the test."""
    done = kubectl("kustomize", HERE / "overlays" / request.param)
    assert done.returncode == 0, done.stderr
    yield done.stdout
    kubectl("delete", "-f", "-", "--ignore-not-found", "--wait=false", given=done.stdout)


@pytest.mark.parametrize("overlay", OVERLAYS, indirect=True)
def test_an_api_server_takes_each_overlay_and_finds_nothing_to_change_the_second_time(
    overlay: str, kubectl: Kubectl
) -> None:
    resources = [one for one in yaml.load_all(overlay, Loader=yaml.CSafeLoader) if one["kind"] != "Namespace"]
    own_namespace(resources, kubectl)

    first = kubectl("apply", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(resources))
    again = kubectl("diff", "-f", "-", given=yaml.safe_dump_all(resources))

    assert first.returncode == 0, first.stderr
    assert len(first.stdout.splitlines()) == len(resources)
    assert "would violate" not in first.stderr
    assert (again.returncode, again.stdout) == (0, ""), again.stderr


@pytest.mark.parametrize("overlay", OVERLAYS, indirect=True)
def test_every_pod_is_let_in_where_pods_are_restricted(overlay: str, kubectl: Kubectl) -> None:
    resources = list(yaml.load_all(overlay, Loader=yaml.CSafeLoader))
    own_namespace(resources, kubectl)
    made = list(pods(resources))
    assert made

    done = kubectl("create", "--dry-run=server", "-f", "-", given=yaml.safe_dump_all(made))

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(made)


@pytest.mark.parametrize("overlay", ["external"], indirect=True)
def test_control_a_pod_that_wants_more_is_not_let_in(overlay: str, kubectl: Kubectl) -> None:
    resources = list(yaml.load_all(overlay, Loader=yaml.CSafeLoader))
    own_namespace(resources, kubectl)
    pod = next(pods(resources))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    done = kubectl("create", "--dry-run=server", "-f", "-", given=yaml.safe_dump(pod))

    assert done.returncode != 0
    assert "allowPrivilegeEscalation" in done.stderr


def test_secrets_are_made_once_and_those_that_are_missing_are_added(kubectl: Kubectl) -> None:
    name = f"secrets-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)

    def make() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, HERE / "make_secrets.py", name]
        printed = subprocess.run(command, check=True, capture_output=True, text=True)
        return kubectl("create", "-f", "-", given=printed.stdout)

    def password() -> str:
        return kubectl("-n", name, "get", "secret", "order-database", "-o", "jsonpath={.data.password}").stdout

    assert make().returncode == 0
    first = password()
    kubectl("-n", name, "delete", "secret", "loyalty-audit")
    again = make()

    assert password() == first != ""
    assert again.stdout.split() == ["secret/loyalty-audit", "created"]


def where() -> str:
    return os.pathsep.join(filter(None, [os.environ.get("KUBEBUILDER_ASSETS"), os.environ["PATH"]]))


def reached_at(address: str, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": address, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def kinds_of_operators() -> Iterator[dict[str, Any]]:
    """Yield a definition of each custom resource: its operator's, or one under which the server takes anything."""
    if given := os.environ.get("OPERATOR_CRDS"):
        for file in Path(given).glob("*.yaml"):
            found = yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
            yield from (one for one in found if one and one["kind"] == "CustomResourceDefinition")
        return
    for file in (HERE / "schemas").glob("*.json"):
        group, version, kind = json.loads(file.read_text())["title"].split("/")
        plural = kind.lower() + "s"
        shape = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.{group}",
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
            },
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": shape}}],
            },
        }


def own_namespace(resources: list[dict[str, Any]], kubectl: Kubectl) -> None:
    """Put everything into a namespace of its own, restricted as ours: one that is going away takes nothing."""
    name = f"till-{secrets.token_hex(3)}"
    (ours,) = [
        one
        for one in yaml.load_all((HERE / "base" / "namespace.yaml").read_text(), Loader=yaml.CSafeLoader)
        if one["kind"] == "Namespace"
    ]
    ours["metadata"]["name"] = name
    assert kubectl("apply", "-f", "-", given=yaml.safe_dump(ours)).returncode == 0
    for one in resources:
        if "namespace" in one["metadata"]:
            one["metadata"]["namespace"] = name


def pods(resources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the pods that controllers would make."""
    for one in resources:
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if one["kind"] in {"Deployment", "StatefulSet", "Job", "CronJob"} and template:
            metadata = {
                "generateName": f"{one['metadata']['name']}-",
                "namespace": one["metadata"]["namespace"],
                "labels": template["metadata"].get("labels", {}),
            }
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
