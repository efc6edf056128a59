"""The issuer's keys change now and then, and its address is nobody's to choose but the operator's."""

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from till_platform.keys import KeyAddress, Keys, KeySource, KeysUnavailable
from till_platform.settings import SettingsError


class Source(KeySource):
    def __init__(self, *keys) -> None:
        self.keys = keys
        self.reads = 0
        self.down = False

    def read(self) -> bytes:
        self.reads += 1
        if self.down:
            raise ConnectionRefusedError
        return json.dumps({"keys": [key.as_dict() for key in self.keys]}).encode()


def key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def signed(house, signer) -> str:
    return jwt.encode({"alg": "ES256", "kid": signer.kid}, house.claims(), signer)


def test_a_new_key_is_known_as_soon_as_it_is_used(house) -> None:
    house.count(key="k1")
    renewed = key("till-2")
    house.publish(house.key, renewed)
    house.clock.advance(seconds=31)
    assert house.count(token=signed(house, renewed), key="k2").status_code in {200, 201}


def test_a_key_taken_back_is_good_for_ten_minutes_at_most(house) -> None:
    house.count(key="k1")
    house.publish(key("till-2"))
    house.clock.advance(minutes=10, seconds=1)
    assert house.count(key="k1", token=house.token()).status_code == 401


def test_unknown_key_ids_are_asked_for_at_most_every_thirty_seconds(house) -> None:
    source = Source(key("till-1"))
    keys = Keys(source, house.clock)

    async def ask(times: int) -> None:
        for _ in range(times):
            await keys.refreshed()

    asyncio.run(ask(50))
    assert source.reads == 1
    house.clock.advance(seconds=31)
    asyncio.run(ask(50))
    assert source.reads == 2


def test_while_the_issuer_is_down_the_keys_read_before_are_good(house) -> None:
    source = Source(key("till-1"))
    keys = Keys(source, house.clock)
    asyncio.run(keys.current())
    source.down = True
    house.clock.advance(hours=2)
    assert [known.kid for known in asyncio.run(keys.current())] == ["till-1"]


def test_without_any_key_nobody_can_tell_and_the_caller_may_come_back(house) -> None:
    house.jwks.unlink()
    answer = house.count()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"].endswith("/keys-unavailable")


def test_shared_secrets_and_keys_for_encryption_verify_nothing(house) -> None:
    secret, encrypting = OctKey.generate_key(256, {"kid": "s"}), ECKey.generate_key("P-256", {"kid": "e", "use": "enc"})
    keys = asyncio.run(Keys(Source(secret, encrypting, key("good")), house.clock).current())
    assert [known.kid for known in keys] == ["good"]


@contextmanager
def web(status: int, headers: dict[str, str], body: bytes):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_keys_are_read_from_the_pinned_address(house) -> None:
    with web(200, {}, Source(key("far")).read()) as address:
        keys = asyncio.run(Keys(KeyAddress(address), house.clock).current())
    assert [known.kid for known in keys] == ["far"]


def test_a_redirect_is_not_followed(house) -> None:
    with (
        web(200, {}, Source(key("elsewhere")).read()) as elsewhere,
        web(302, {"Location": elsewhere}, b"") as address,
        pytest.raises(KeysUnavailable),
    ):
        asyncio.run(Keys(KeyAddress(address), house.clock).current())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [{"kty": "EC", "kid": "x"}]}', b"\xff"]
)
def test_what_is_no_key_set_is_as_good_as_none(house, body) -> None:
    with web(200, {}, body) as address, pytest.raises(KeysUnavailable):
        asyncio.run(Keys(KeyAddress(address), house.clock).current())


def test_outside_local_mode_keys_come_over_tls(house) -> None:
    settings = house.settings.model_copy(
        update={"environment": "production", "auth_jwks_file": None, "auth_jwks_url": "http://issuer.example/jwks.json"}
    )
    with pytest.raises(SettingsError, match="https"):
        Keys.of(settings)
