"""deploy/compose/auth: the realm in a real Keycloak; its tokens are judged as the services judge them.

`KEYCLOAK_HOME` names the folder of an unpacked Keycloak, which needs Java 17 or newer.
"""

import os
import re
import secrets
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from till_platform.auth import Tokens, Who
from till_platform.settings import Settings
from till_platform.testing.running import _free_port, eventually

REALM = Path(__file__).resolve().parents[1] / "compose" / "auth" / "tillstream-realm.json"
BACK = "http://localhost:8080/signed-in"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@dataclass
class Keycloak:
    """Keycloak as its administrator and as those who sign in have it before them."""

    address: str
    password: str
    keys: Path

    @property
    def realm(self) -> str:
        return f"{self.address}/realms/tillstream"

    def administer(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        given = {"client_id": "admin-cli", "grant_type": "password", "username": "admin", "password": self.password}
        signed_in = httpx2.post(f"{self.address}/realms/master/protocol/openid-connect/token", data=given)
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        done = httpx2.request(method, f"{self.address}/admin/realms/tillstream{path}", json=body, headers=headers)
        assert done.is_success, (path, done.text)
        return done

    def of_a_system(self) -> str:
        """Return the token that a till or an import gets."""
        (client,) = self.administer("GET", "/clients?clientId=tillstream-import").json()
        secret = self.administer("GET", f"/clients/{client['id']}/client-secret").json()["value"]
        return self._token(grant_type="client_credentials", client_id="tillstream-import", client_secret=secret)

    def of_a_person(self, name: str, *roles: str, stores: list[str] | None = None) -> str:
        """Hire somebody, and return the token she gets by signing in with her browser."""
        password = secrets.token_hex(8)
        person = {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.com",
            "firstName": name,
            "lastName": "Test",
            "attributes": {"stores": stores} if stores else {},
            "credentials": [{"type": "password", "value": password}],
        }
        made = self.administer("POST", "/users", person).headers["location"].rpartition("/")[2]
        known = [self.administer("GET", f"/roles/{role}").json() for role in roles]
        self.administer("POST", f"/users/{made}/role-mappings/realm", known)
        verifier = secrets.token_urlsafe(48)
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": "tillstream-console",
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": BACK,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = httpx2.get(f"{self.realm}/protocol/openid-connect/auth", params=asked)
        form = unescape(re.search(r'action="([^"]+)"', page.text)[1])
        # A browser takes this machine for safe and hands back cookies that are for https only.
        cookies = "; ".join(line.partition(";")[0] for line in page.headers.get_list("set-cookie"))
        entered = httpx2.post(form, data={"username": name, "password": password}, headers={"Cookie": cookies})
        assert entered.status_code == 302, entered.text
        (code,) = parse_qs(urlsplit(entered.headers["location"]).query)["code"]
        return self._token(
            grant_type="authorization_code",
            client_id="tillstream-console",
            code=code,
            redirect_uri=BACK,
            code_verifier=verifier,
        )

    def _token(self, **given: str) -> str:
        done = httpx2.post(f"{self.realm}/protocol/openid-connect/token", data=given)
        assert done.status_code == 200, done.text
        return str(done.json()["access_token"])


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    home = os.environ.get("KEYCLOAK_HOME")
    if not home:
        pytest.skip("the realm was NOT tried in a Keycloak: KEYCLOAK_HOME names none")
    folder = tmp_path_factory.mktemp("keycloak")
    own = shutil.copytree(home, folder / "keycloak", ignore=shutil.ignore_patterns("data"))
    (own / "data" / "import").mkdir(parents=True)
    shutil.copy(REALM, own / "data" / "import")
    port, password = _free_port(), secrets.token_hex(8)
    address = f"http://localhost:{port}"
    environment = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
        "KC_CACHE": "local",
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
    }
    command = [own / "bin" / "kc.sh", "start-dev", "--import-realm", f"--http-port={port}", f"--hostname={address}"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        made = Keycloak(address, password, folder / "jwks.json")
        certificates = f"{made.realm}/protocol/openid-connect/certs"
        try:
            made.keys.write_bytes(eventually(lambda: answered(httpx2.get(certificates)), within=240, every=0.5))
        except AssertionError:
            pytest.fail((folder / "log").read_text()[-5_000:])
        yield made
    finally:
        running.terminate()
        running.wait(60)


@pytest.fixture
def judged(keycloak: Keycloak) -> Callable[[str], Any]:
    """Judge a token as the services do, with the file of keys that `auth-keys` makes."""
    settings = Settings.read(
        service="order",
        environment="local",
        pg="postgresql://nobody",
        kafka="nobody:1",
        redis="redis://nobody",
        auth_issuer=keycloak.realm,
        auth_audience="tillstream",
        auth_jwks_file=str(keycloak.keys),
    )
    return Tokens.of(settings).who


async def test_a_system_is_let_in_by_its_secret_and_reaches_every_store(keycloak: Keycloak, judged: Any) -> None:
    who: Who = await judged(keycloak.of_a_system())

    assert (who.role, who.roles, who.stores) == ("integration", {"integration"}, None)


async def test_a_cashier_signs_in_and_reaches_the_stores_that_are_named_for_her(
    keycloak: Keycloak, judged: Any
) -> None:
    who: Who = await judged(keycloak.of_a_person("ann", "cashier", stores=["s-1", "s-2"]))

    assert (who.role, who.stores) == ("cashier", {"s-1", "s-2"})
    assert "ann" not in who.actor


async def test_control_a_cashier_for_whom_no_store_is_named_reaches_none(keycloak: Keycloak, judged: Any) -> None:
    who: Who = await judged(keycloak.of_a_person("ben", "cashier"))

    assert (who.role, who.stores) == ("cashier", frozenset())


async def test_head_office_reaches_all_stores(keycloak: Keycloak, judged: Any) -> None:
    who: Who = await judged(keycloak.of_a_person("eve", "auditor", "analyst"))

    assert (who.roles, who.stores) == ({"auditor", "analyst"}, None)


def answered(answer: httpx2.Response) -> bytes:
    return answer.content if answer.status_code == 200 else b""
