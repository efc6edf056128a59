"""Every refusal is a problem with a stable type, and tells nobody what it should not."""

import psycopg
import pytest
from psycopg.errors import IdleInTransactionSessionTimeout

from till_platform.http import Refusal, refuse_nul


@pytest.fixture
def headers(house):
    return {**house.headers(), "Content-Type": "application/json", "Idempotency-Key": "k"}


def test_a_refusal_by_the_domain_keeps_its_code_sentence_and_facts(house) -> None:
    house.count(99, key="k1")
    answer = house.count(1, key="k2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "https://tillstream.dev/problems/shelf-sold",
        "title": "Shelf sold",
        "status": 409,
        "detail": "this shelf is sold",
        "instance": answer.headers["x-correlation-id"],
        "legal": ["look"],
        "since": "2026-11-20T12:00:00Z",
    }


def test_what_is_not_there_is_a_404(house) -> None:
    assert house.client.get("/v1/shelves/b", headers=house.headers()).json()["type"].endswith("/not-found")


def test_a_body_of_the_wrong_shape_is_told_field_by_field(house, headers) -> None:
    answer = house.client.post("/v1/shelves", json={"shelf_id": 1, "apples": "many", "x": 2}, headers=headers)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"shelf_id", "store_id", "apples", "x"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"[" * 100_000, 400),
        (b'{"apples": ' + b"9" * 5000 + b"}", 400),
        (b'{"apples": NaN, "shelf_id": "a", "store_id": "S1"}', 422),
        (b'{"apples": 1.5, "shelf_id": "a", "store_id": "S1"}', 422),
        (b'{"apples": 1, "shelf_id": "a\\u0000b", "store_id": "S1"}', 422),
        (b'{"apples": 1, "shelf_id": "' + b"a" * 1_100_000 + b'"}', 413),
    ],
)
def test_rubbish_is_a_problem_and_not_a_failure(house, headers, body, status) -> None:
    answer = house.client.post("/v1/shelves", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert not house.log.shelves


@pytest.mark.parametrize(
    ("address", "field"),
    [("/v1/shelves/a%00b", "path"), ("/v1/shelves?cursor=%00", "cursor"), ("/v1/shelves?limit=5&kind=a%00", "kind")],
)
def test_an_address_that_no_text_can_hold_is_refused_by_the_name_of_its_field(house, headers, address, field) -> None:
    answer = house.client.get(address, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-le"])
def test_a_text_that_no_database_keeps_is_refused_by_the_name_of_its_field(house, headers, encoding) -> None:
    body = r'{"apples": 1, "shelf_id": "a\u0000b", "store_id": "S1", "lines": [{"name": "x"}, {"name": "\u0000"}]}'
    pieces = iter([body[:32].encode(encoding), body[32:].encode(encoding.replace("utf-16", "utf-16-le"))])
    answer = house.client.post("/v1/shelves", content=pieces, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "shelf_id", "reason": "holds a NUL character"},
        {"field": "lines.1.name", "reason": "holds a NUL character"},
    ]


def test_a_text_about_nul_is_a_text_like_any_other(house, headers) -> None:
    body = rb'{"apples": 1, "shelf_id": "a\\u0000b", "store_id": "S1"}'
    answer = house.client.post("/v1/shelves", content=body, headers=headers)
    assert (answer.status_code, answer.json()["shelf_id"]) == (201, r"a\u0000b")


def test_the_fields_of_a_form_are_refused_by_name() -> None:
    refuse_nul([("file", "list.csv"), ("wording", "as they said")])
    with pytest.raises(Refusal) as refused:
        refuse_nul([("file", "list\x00.csv"), ("wording", "as they said"), ("mapping", {"Ph\x00one": "phone"})])
    assert [error["field"] for error in refused.value.facts["errors"]] == ["file", "mapping.Phone"]


@pytest.mark.parametrize(
    ("error", "status", "again"),
    [
        (psycopg.OperationalError("gone"), 503, "1"),
        (psycopg.errors.AdminShutdown("gone"), 503, "1"),
        (IdleInTransactionSessionTimeout("gone"), 503, "1"),
        (psycopg.ProgrammingError("control: a statement of ours that is wrong is a bug"), 500, None),
    ],
)
def test_a_database_that_is_away_is_asked_again_in_a_moment(house, monkeypatch, error, status, again) -> None:
    async def save(_):
        raise error

    monkeypatch.setattr(house.log, "save", save)
    answer = house.count(7)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, again)


def test_a_body_sent_in_pieces_is_counted_as_it_comes(house, headers) -> None:
    pieces = (b" " * 65536 for _ in range(20))
    answer = house.client.post("/v1/shelves", content=pieces, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "https://tillstream.dev/problems/too-large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/shelves", 404),
        ("DELETE", "/v1/shelves", 405),
        ("GET", "/v1/shelves/", 404),
        ("BREW", "/v1/shelves", 405),
    ],
)
def test_no_such_route(house, method, path, status) -> None:
    answer = house.client.request(method, path, headers=house.headers())
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_bug_tells_nothing_but_where_to_look(house, headers) -> None:
    body = {"shelf_id": "secret", "store_id": "S1", "apples": 1}
    answer = house.client.post("/v1/shelves:stumble", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (500, "https://tillstream.dev/problems/internal")
    assert answer.json()["instance"] == answer.headers["x-correlation-id"]
    assert "secret" not in answer.text


def test_a_caller_may_bring_its_own_correlation_id_if_it_is_one(house) -> None:
    given = "0199a1f0-7c1e-7b3a-9d55-3f6d2c8e4b10"
    kept = house.client.get("/livez", headers={"X-Correlation-Id": given})
    replaced = house.client.get("/livez", headers={"X-Correlation-Id": "2912345678901"})
    assert kept.headers["x-correlation-id"] == given
    assert len(replaced.headers["x-correlation-id"]) == 36


def test_what_is_recorded_knows_who_did_it_and_in_whose_consequence(house) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"shelf_id": "a", "store_id": "S1", "apples": 1}
    correlation_id = "0199a1f0-7c1e-7b3a-9d55-3f6d2c8e4b10"
    more = {"X-Correlation-Id": correlation_id, "traceparent": traceparent, "Idempotency-Key": "k"}
    house.client.post("/v1/shelves", json=body, headers={**house.headers(), **more})
    (context,) = house.log.contexts
    assert (context.actor, context.correlation_id, context.traceparent) == ("cashier:17", correlation_id, traceparent)


def test_the_documents_name_the_problems_and_the_token(house) -> None:
    document = house.client.get("/openapi.json").json()
    operation = document["paths"]["/v1/shelves"]["post"]
    assert operation["security"] == [{"token": []}]
    assert {"201", "401", "403", "422"} <= set(operation["responses"])
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    names = {parameter["name"].lower() for parameter in operation["parameters"]}
    assert names == {"idempotency-key"}
