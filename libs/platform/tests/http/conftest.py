"""A small service to knock at: one kind of thing, kept in a log without a disk."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, cast

import pytest
from fastapi import APIRouter, Request, Response
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.testclient import TestClient

from till_events.base import Event
from till_platform.clock import Clock
from till_platform.context import ambient, answer_wanted, recorded
from till_platform.domain import Aggregate, DomainError, NotFound
from till_platform.eventstore.errors import RepeatedCommand, VersionConflict
from till_platform.http import (
    CursorDep,
    LogDep,
    Once,
    Page,
    ReadsDep,
    Version,
    Who,
    allow,
    create_app,
    must_be,
    ndjson_in,
    ndjson_out,
    streamed,
    tag,
)
from till_platform.parts import Parts
from till_platform.settings import Settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ISSUER = "https://issuer.example"
AUDIENCE = "tillstream"


class StoppedClock(Clock):
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


class Counted(Event):
    """Somebody counted the apples on a shelf."""

    apples: int


class Sold(DomainError):
    """The shelf is sold."""

    code = "shelf-sold"


class Shelf(Aggregate):
    kind = "shelf"
    apples = 0

    def count(self, apples: int) -> None:
        if self.apples == 99:
            raise Sold("this shelf is sold", legal=["look"], since=NOW)
        if apples != self.apples:
            self.record(Counted(occurred_at=NOW, apples=apples))

    def apply(self, event: Event) -> None:
        assert isinstance(event, Counted)
        self.apples = event.apples


class LogInMemory:
    """Answers as the real log does: an answer is stored with the events, and a key is taken once."""

    def __init__(self) -> None:
        self.shelves: dict[str, list[Any]] = {}
        self.answers: dict[str, RepeatedCommand] = {}
        self.contexts: list[Any] = []
        self.overtaken = 0

    async def find(self, cls: type[Shelf], identity: str) -> Shelf:
        events = self.shelves.get(identity, [])
        return cls.project(None, events) or cls(cls.stream(identity))

    async def load(self, cls: type[Shelf], identity: str) -> Shelf:
        found = await self.find(cls, identity)
        if not found.exists:
            raise NotFound(f"there is no shelf {identity}")
        return found

    async def save(self, shelf: Shelf) -> int:
        wanted = answer_wanted()
        rendered = wanted.render(shelf) if wanted else None
        events = shelf.collect_events()
        if self.overtaken:
            self.overtaken -= 1
            raise VersionConflict("somebody was faster")
        if wanted and wanted.key in self.answers:
            raise self.answers[wanted.key]
        if wanted and rendered:
            self.answers[wanted.key] = RepeatedCommand(wanted.key, *rendered, wanted.fingerprint)
        self.shelves.setdefault(shelf.identity, []).extend(events)
        self.contexts.append(ambient())
        recorded(sum(map(len, self.shelves.values())))
        return 1

    async def answer_to(self, key: str) -> RepeatedCommand | None:
        return self.answers.get(key)


class Numbers:
    """A read model of the numbers 1 to 250."""

    async def all(self, _: str, parameters: Any) -> list[dict[str, Any]]:
        after, limit = parameters
        return [{"n": n, "at": NOW} for n in range(after + 1, min(after + limit, 250) + 1)]


class CountBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shelf_id: str
    store_id: str
    apples: int


class ShelfReply(BaseModel):
    shelf_id: str
    apples: int
    version: int
    repeated: bool

    @classmethod
    def of(cls, shelf: Shelf) -> "ShelfReply":
        return cls(shelf_id=shelf.identity, apples=shelf.apples, version=shelf.version, repeated=not shelf.pending)


class Number(BaseModel):
    n: int


shelves = APIRouter(prefix="/v1/shelves", tags=["shelves"])
Writer = Annotated[Who, allow("cashier", "manager")]


@shelves.post("", status_code=201)
async def count_shelf(body: CountBody, who: Writer, log: LogDep, once: Once) -> ShelfReply:
    who.must_reach(body.store_id)

    async def command() -> Shelf:
        shelf = await log.find(Shelf, body.shelf_id)
        shelf.count(body.apples)
        if shelf.pending:
            await log.save(shelf)
        return shelf

    return await once(command, ShelfReply.of)


@shelves.put("/{shelf_id}")
async def change_shelf(
    shelf_id: str, body: CountBody, who: Writer, log: LogDep, version: Version, response: Response
) -> ShelfReply:
    shelf = await log.load(Shelf, shelf_id)
    must_be(version, shelf)
    shelf.count(body.apples)
    await log.save(shelf)
    tag(response, shelf.version)
    return ShelfReply.of(shelf)


@shelves.get("")
async def list_numbers(
    who: Annotated[Who, allow()], reads: ReadsDep, cursor: CursorDep, kind: str = ""
) -> Page[Number]:
    after = cursor.after[0] if cursor.after else 0
    rows = await reads.all("", [after, cursor.fetch])
    return cursor.page(rows, key=lambda row: (row["n"], row["at"]), item=lambda row: Number(n=row["n"]))


@shelves.get("/{shelf_id}")
async def show_shelf(shelf_id: str, who: Annotated[Who, allow()], log: LogDep) -> ShelfReply:
    return ShelfReply.of(await log.load(Shelf, shelf_id))


@shelves.post(":batch")
@streamed
async def count_many(request: Request, who: Writer) -> Response:
    async def answers() -> Any:
        async for chunk in ndjson_in(request, json.loads, chunk=3):
            yield [
                {"line": number, "status": item.code if isinstance(item, DomainError) else "counted"}
                for number, item in chunk
            ]

    return ndjson_out(answers())


@shelves.post(":stumble")
async def stumble(body: CountBody, who: Writer) -> ShelfReply:
    raise ValueError(f"cannot count {body.shelf_id}")


class House:
    """The service, its key, and a client that comes with tokens."""

    def __init__(self, directory: Path) -> None:
        self.clock = StoppedClock()
        self.key = ECKey.generate_key("P-256", {"kid": "till-1", "use": "sig", "alg": "ES256"})
        self.jwks = directory / "jwks.json"
        self.publish(self.key)
        self.settings = Settings(
            service="shelves",
            environment="local",
            pg="postgresql://till:secret@localhost/till",
            kafka="localhost:9092",
            redis="redis://localhost",
            auth_issuer=ISSUER,
            auth_audience=AUDIENCE,
            auth_jwks_file=self.jwks,
            cursor_secret=SecretStr("for cursors"),
        )
        self.shelf, self.reply = Shelf, ShelfReply.of
        self.log = LogInMemory()
        parts = SimpleNamespace(settings=self.settings, clock=self.clock, log=self.log, reads=Numbers(), cache=None)
        self.app = create_app("shelves", "1.0.0", routers=[shelves], parts=cast("Parts", parts))
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def publish(self, *keys: Any) -> None:
        self.jwks.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}))

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(self.clock.now().timestamp())
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "17",
            "iat": now,
            "exp": now + 600,
            "roles": ["cashier"],
            "stores": ["S1"],
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not ...}

    def token(self, **changed: Any) -> str:
        return jwt.encode({"alg": "ES256", "kid": "till-1"}, self.claims(**changed), self.key)

    def headers(self, token: str | None = None, **more: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token or self.token()}",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    def count(
        self, apples: int = 7, *, shelf: str = "a", store: str = "S1", key: str | None = "k1", token: str | None = None
    ) -> Any:
        body = {"shelf_id": shelf, "store_id": store, "apples": apples}
        more = {"Idempotency-Key": key} if key is not None else {}
        return self.client.post("/v1/shelves", json=body, headers={**self.headers(token), **more})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with house.client:
        yield house


@pytest.fixture
def make_house(tmp_path: Path) -> Callable[[], House]:
    return lambda: House(tmp_path)
