"""Whoever cannot show a good token is not let in, whatever the token tries."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(house, header: dict[str, Any]) -> str:
    return f"{b64(header)}.{b64(house.claims())}."


def spliced(house, header: dict[str, Any]) -> str:
    """Return a good token under another header, with the good signature."""
    _, payload, signature = house.token().split(".")
    return f"{b64(header)}.{payload}.{signature}"


def with_the_public_key_as_secret(house) -> str:
    pem = house.key.as_pem(private=False)
    header, payload = b64({"alg": "HS256", "kid": "till-1"}), b64(house.claims())
    import hashlib
    import hmac

    signature = hmac.digest(pem, f"{header}.{payload}".encode(), hashlib.sha256)
    return f"{header}.{payload}.{b64(signature)}"


def signed_by(key: Any, alg: str = "ES256", **header: Any) -> Callable[[Any], str]:
    return lambda house: jwt.encode({"alg": alg, "kid": "till-1", **header}, house.claims(), key, algorithms=[alg])


def claiming(**changed: Any) -> Callable[[Any], str]:
    return lambda house: house.token(**changed)


def now(house) -> int:
    return int(house.clock.now().timestamp())


def truthful(**header: Any) -> Callable[[Any], str]:
    """Return a token that our issuer did sign, with more in its header than a token needs."""

    def token(house) -> str:
        signed = f"{b64({'alg': 'ES256', 'kid': 'till-1', **header})}.{b64(house.claims())}"
        return f"{signed}.{b64(JWSRegistry.algorithms['ES256'].sign(signed.encode(), house.key))}"

    return token


STRANGER = ECKey.generate_key("P-256", {"kid": "till-1"})

TOKENS: dict[str, Callable[[Any], str]] = {
    "nothing at all": lambda _: "",
    "not a token": lambda _: "open sesame",
    "two dots": lambda _: "..",
    "one part": lambda house: house.token().split(".")[1],
    "four parts": lambda house: house.token() + ".x",
    "five parts, as if encrypted": lambda house: house.token() + ".x.y",
    "header that is no JSON": lambda house: ".".join([b64(b"{alg"), *house.token().split(".")[1:]]),
    "header that is a list": lambda house: ".".join([b64(b"[]"), *house.token().split(".")[1:]]),
    "claims that are a list": lambda house: jwt_of_bytes(house, b"[1]"),
    "claims nested without end": lambda house: jwt_of_bytes(house, b"[" * 5000),
    "huge": claiming(padding="x" * 20_000),
    "a million letters": lambda _: "a" * 60_000,
    "alg none": lambda house: unsigned(house, {"alg": "none", "kid": "till-1"}),
    "alg None": lambda house: unsigned(house, {"alg": "None", "kid": "till-1"}),
    "alg missing": lambda house: spliced(house, {"kid": "till-1"}),
    "alg a number": lambda house: spliced(house, {"alg": 256, "kid": "till-1"}),
    "alg HS256 with the public key as secret": with_the_public_key_as_secret,
    "alg HS256 with an own secret": signed_by(OctKey.generate_key(256), "HS256"),
    "alg ES384, which is not ours": signed_by(ECKey.generate_key("P-384"), "ES384"),
    "alg RS256 with a stranger's key": signed_by(RSAKey.generate_key(2048), "RS256"),
    "signature of a stranger under our key id": signed_by(STRANGER),
    "signature cut off": lambda house: house.token().rsplit(".", 1)[0] + ".",
    "signature of another token": lambda house: (
        house.token(sub="18").rsplit(".", 1)[0] + "." + house.token().rsplit(".", 1)[1]
    ),
    "signature of zeros": lambda house: house.token().rsplit(".", 1)[0] + "." + b64(bytes(64)),
    "kid unknown": signed_by(STRANGER, kid="stranger"),
    "kid missing": lambda house: jwt.encode({"alg": "ES256"}, house.claims(), house.key),
    "kid a path": signed_by(STRANGER, kid="../../../../dev/null"),
    "kid an injection": signed_by(STRANGER, kid="x' UNION SELECT 'AA=='; --"),
    "kid a list": lambda house: spliced(house, {"alg": "ES256", "kid": ["till-1"]}),
    "jku of a stranger": signed_by(STRANGER, jku="https://stranger.example/jwks.json"),
    "jku signed by us": truthful(jku="https://stranger.example/jwks.json"),
    "x5u signed by us": truthful(x5u="https://stranger.example/cert.pem"),
    "own key in the header": signed_by(STRANGER, jwk=STRANGER.as_dict(private=False)),
    "crit that nobody knows": truthful(crit=["exp"], exp=1),
    "detached payload": truthful(b64=False),
    "iss missing": claiming(iss=...),
    "iss of a stranger": claiming(iss="https://stranger.example"),
    "iss a list": claiming(iss=["https://issuer.example"]),
    "aud missing": claiming(aud=...),
    "aud of another service": claiming(aud="payroll"),
    "aud a prefix of ours": claiming(aud="till"),
    "aud an empty list": claiming(aud=[]),
    "sub missing": claiming(sub=...),
    "sub empty": claiming(sub=""),
    "sub a number": claiming(sub=17),
    "sub an e-mail address": claiming(sub="anna.nowak@example.org"),
    "sub with a line break": claiming(sub="17\r\nx: y"),
    "exp missing": claiming(exp=...),
    "exp past": lambda house: house.token(exp=now(house) - 31),
    "exp a text": claiming(exp="2099-01-01"),
    "exp true": claiming(exp=True),
    "exp beyond all clocks": claiming(exp=10**400),
    "iat missing": claiming(iat=...),
    "iat in the future": lambda house: house.token(iat=now(house) + 300),
    "nbf in the future": lambda house: house.token(nbf=now(house) + 300),
    "roles a text": claiming(roles="admin"),
    "roles of numbers": claiming(roles=[1]),
    "stores a text that is not a star": claiming(stores="S1"),
    "stores a number": claiming(stores=1),
    "stores of an empty name": claiming(stores=[""]),
}


def jwt_of_bytes(house, payload: bytes) -> str:
    from joserfc import jws

    return jws.serialize_compact({"alg": "ES256", "kid": "till-1"}, payload, house.key)


@pytest.mark.parametrize("name", TOKENS)
def test_a_hostile_token_is_not_let_in(house, name) -> None:
    answer = house.count(token=TOKENS[name](house) or " ")
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not house.log.shelves


FORBIDDEN = {
    "no roles": claiming(roles=[]),
    "roles missing": claiming(roles=...),
    "a role nobody knows": claiming(roles=["superuser"]),
    "a role that only reads": claiming(roles=["auditor"]),
    "another store": claiming(stores=["S2"]),
    "no stores": claiming(stores=[]),
    "stores missing": claiming(stores=...),
    "stores missing, with a second role": claiming(roles=["cashier", "analyst"], stores=...),
    "a store whose name begins alike": claiming(stores=["S", "S11"]),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_good_token_opens_no_more_than_it_says(house, name) -> None:
    answer = house.count(token=FORBIDDEN[name](house))
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "https://tillstream.dev/problems/forbidden"
    assert not house.log.shelves


GOOD = {
    "the usual one": claiming(),
    "several audiences": claiming(aud=["payroll", "tillstream"]),
    "every store": claiming(stores="*"),
    "a role of another system beside ours": claiming(roles=["offline_access", "manager"]),
    "expired within the leeway": lambda house: house.token(exp=now(house) - 5),
    "issued by a clock a little ahead": lambda house: house.token(iat=now(house) + 5),
    "a type": lambda house: jwt.encode({"alg": "ES256", "kid": "till-1", "typ": "JWT"}, house.claims(), house.key),
    "a machine account": claiming(sub="x8dj3kd@clients", roles=["manager"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token_is_let_in(house, name) -> None:
    answer = house.count(token=GOOD[name](house))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (OKPKey.generate_key("Ed25519", {"kid": "till-1"}), "EdDSA"),
        (RSAKey.generate_key(2048, {"kid": "till-1"}), "RS256"),
    ],
)
def test_the_other_two_algorithms_are_known(house, key, alg) -> None:
    from till_platform.auth import _SIGNATURES

    house.publish(key)
    token = jwt.encode({"alg": alg, "kid": "till-1"}, house.claims(), key, registry=_SIGNATURES)
    assert house.count(token=token).status_code == 201


def test_no_token_is_told_from_a_bad_one(house) -> None:
    answer = house.client.post("/v1/shelves", json={})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Basic dGlsbDp0aWxs", "Bearer", "bearer ", "Token x", "", "Bearer \xe9\xe9"])
def test_other_kinds_of_credentials_are_none(house, header) -> None:
    answer = house.client.post("/v1/shelves", json={}, headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_a_token_known_to_be_good_expires_all_the_same(house) -> None:
    token = house.token(exp=now(house) + 10)
    assert house.count(token=token).status_code == 201
    house.clock.advance(seconds=45)
    assert house.count(token=token).status_code == 401


def test_a_hundred_hostile_tokens_cost_little_time(house) -> None:
    started = time.process_time()
    for number in range(100):
        house.count(token=signed_by(STRANGER, kid=f"stranger-{number}")(house))
    assert time.process_time() - started < 5
