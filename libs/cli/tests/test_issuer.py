import json
import time
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tillstream.local.issuer import Issuer, Role


def issuer(folder: Path) -> Issuer:
    return Issuer(folder / "secrets" / "issuer.json", folder / "jwks.json")


def claims(token: str, folder: Path) -> dict[str, object]:
    keys = KeySet.import_key_set(json.loads((folder / "jwks.json").read_text()))
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def test_a_token_names_who_in_which_role_in_which_shops_until_when(tmp_path: Path) -> None:
    told = claims(issuer(tmp_path).sign(Role.CASHIER, ["S1", "S2"], "anna", 5), tmp_path)
    assert told["iss"] == "tillstream-local"
    assert told["aud"] == "tillstream"
    assert told["sub"] == "anna"
    assert told["roles"] == ["cashier"]
    assert told["stores"] == ["S1", "S2"]
    assert 0 <= time.time() - told["iat"] < 60
    assert told["exp"] - told["iat"] == 300


def test_without_shops_the_token_reaches_all_of_them(tmp_path: Path) -> None:
    assert claims(issuer(tmp_path).sign(Role.ANALYST, None, "anna", 5), tmp_path)["stores"] == "*"


def test_no_two_tokens_are_the_same(tmp_path: Path) -> None:
    tokens = {claims(issuer(tmp_path).sign(Role.ADMIN, None, "anna", 5), tmp_path)["jti"] for _ in range(10)}
    assert len(tokens) == 10


def test_the_key_is_kept_so_that_tokens_outlive_a_restart(tmp_path: Path) -> None:
    token = issuer(tmp_path).sign(Role.ADMIN, None, "anna", 5)
    issuer(tmp_path)
    assert claims(token, tmp_path)["sub"] == "anna"


def test_the_key_of_another_machine_is_not_believed(tmp_path: Path) -> None:
    issuer(tmp_path / "ours")
    token = issuer(tmp_path / "theirs").sign(Role.ADMIN, None, "anna", 5)
    with pytest.raises(JoseError):
        claims(token, tmp_path / "ours")


def test_the_private_key_is_for_its_owner_only_and_not_in_the_key_set(tmp_path: Path) -> None:
    issuer(tmp_path)
    assert (tmp_path / "secrets" / "issuer.json").stat().st_mode & 0o077 == 0
    assert "d" not in json.loads((tmp_path / "jwks.json").read_text())["keys"][0]
    assert "d" in json.loads((tmp_path / "secrets" / "issuer.json").read_text())
