"""What operators ask a service."""

import asyncio

import pytest

from till_platform.http import NotReady, create_app


@pytest.fixture
def ask():
    from starlette.testclient import TestClient

    def ask(checks, path="/readyz"):
        return TestClient(create_app("order", "1", checks=checks)).get(path)

    return ask


async def well():
    return {"lag": 0}


async def silent():
    return None


async def behind():
    raise NotReady("the projections are 4,000 events behind", lag=4000)


async def broken():
    raise RuntimeError("postgresql://till:secret@db/till refused Anna Nowak")


def test_ready_is_who_has_everything_it_needs(ask) -> None:
    answer = ask({"projections": well, "database": silent})
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"]["projections"]["details"] == {"lag": 0}


def test_one_thing_missing_is_not_ready_and_says_what(ask) -> None:
    answer = ask({"database": silent, "projections": behind})
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["database"]["ok"]
    assert answer.json()["checks"]["projections"]["reason"] == "the projections are 4,000 events behind"
    assert answer.json()["checks"]["projections"]["details"] == {"lag": 4000}


def test_a_check_that_stumbles_gives_nothing_away(ask) -> None:
    answer = ask({"database": broken})
    assert (answer.status_code, answer.json()["checks"]["database"]["reason"]) == (503, "RuntimeError")
    assert "secret" not in answer.text


def test_a_check_that_hangs_is_not_waited_for(ask, monkeypatch) -> None:
    async def hangs():
        await asyncio.Event().wait()

    monkeypatch.setattr("till_platform.http.probes._PATIENCE", 0.05)
    answer = ask({"kafka": hangs, "database": silent})
    assert (answer.status_code, answer.json()["checks"]["kafka"]["ok"]) == (503, False)


def test_a_service_lives_whatever_it_waits_for(ask) -> None:
    assert ask({"database": broken}, "/livez").status_code == 200


def test_figures_are_labelled_by_route_and_never_by_what_was_asked(house) -> None:
    house.client.get("/v1/shelves/%2B48600100200", headers=house.headers())
    figures = house.client.get("/metrics").text
    assert 'till_http_requests_total{method="GET",route="/v1/shelves/{shelf_id}",status="404"}' in figures
    assert "48600100200" not in figures


def test_made_up_methods_make_no_new_figures(house) -> None:
    house.client.request("X" * 50, "/v1/shelves")
    assert "XXX" not in house.client.get("/metrics").text


def test_the_events_are_described_for_people_and_for_programs() -> None:
    from starlette.testclient import TestClient

    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Orders <live>"},
        "channels": {"till.order": {"address": "till.order", "messages": {"a": {"$ref": "#/components/messages/a"}}}},
        "components": {
            "messages": {
                "a": {
                    "name": "OrderPlaced",
                    "summary": "A customer committed.",
                    "payload": {"$ref": "#/components/schemas/a"},
                }
            },
            "schemas": {
                "a": {
                    "properties": {
                        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                        "customer_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["lines"],
                }
            },
        },
    }
    client = TestClient(create_app("order", "1", asyncapi=lambda: document))
    page = client.get("/docs/asyncapi").text
    assert client.get("/docs/asyncapi.json").json() == document
    assert "Orders &lt;live&gt;" in page
    for words in ("till.order", "OrderPlaced", "A customer committed.", "list of Line", "string or null"):
        assert words in page
