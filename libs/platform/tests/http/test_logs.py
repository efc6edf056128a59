"""Logs tell what went wrong, where and in whose consequence, and nothing about anybody."""

import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
import structlog

from till_platform import context
from till_platform.context import Context
from till_platform.domain import NotFound
from till_platform.telemetry.logs import SeldomTheSame, configure_logging

CANARIES = ("Анна Новак", "Anna Nowak", "+48600100200", "anna.nowak@example.org", "2912345678901")


@pytest.fixture
def written(house) -> Iterator[Callable[..., StringIO]]:
    """Return a function that configures logging, and gives what is written from then on."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def configured(**changed: Any) -> StringIO:
        configure_logging(house.settings.model_copy(update=changed))
        stream = StringIO()
        root.handlers[0].setStream(stream)
        return stream

    yield configured
    root.handlers, root.level = handlers, level
    logging.getLogger("uvicorn.error").filters.clear()
    structlog.reset_defaults()


@pytest.fixture
def lines(written) -> Callable[[], list[dict[str, Any]]]:
    """Configure logging, and return a function that gives the lines written by then."""
    stream = written(log_level="DEBUG")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def log(name: str = "till_order.commands") -> Any:
    return structlog.get_logger(name)


def test_a_line_says_what_when_where_and_in_whose_consequence(lines) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with context.within(Context(correlation_id="c-1", actor="cashier:17", traceparent=traceparent)):
        log().info("order placed", order_id="o-1")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "order placed",
        "level": "info",
        "logger": "till_order.commands",
        "service": "shelves",
        "order_id": "o-1",
        "correlation_id": "c-1",
        "actor": "cashier:17",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_what_is_not_known_to_be_harmless_is_hidden(lines) -> None:
    log().warning("customer changed", name="Anna Nowak", phone="+48600100200", customer_id="c-9", whatever={"a": 1})
    (line,) = lines()
    assert (line["name"], line["phone"], line["whatever"], line["customer_id"]) == (
        "[hidden]",
        "[hidden]",
        "[hidden]",
        "c-9",
    )


def test_a_harmless_key_holds_plain_values_only(lines) -> None:
    log().info("moved", status={"name": "Anna Nowak"}, reason_code=["Anna Nowak"], count=3)
    (line,) = lines()
    assert (line["status"], line["reason_code"], line["count"]) == ("<dict>", "<list>", 3)


class Typed(Exception):
    """Quotes what somebody typed."""


def fail(error: Exception) -> None:
    raise error


def failing(error: Exception) -> Exception:
    """Return the error as it is once it was raised."""
    try:
        fail(error)
    except type(error) as raised:
        return raised
    raise AssertionError("it was not raised")


def test_an_exception_is_told_by_kind_and_place_and_not_by_what_was_typed(lines) -> None:
    log().error("failed", exc_info=failing(Typed("no customer Anna Nowak")))
    (line,) = lines()
    assert line["error"] == "Typed"
    assert "test_logs.py" in line["where"]
    assert line["where"].endswith(" fail")
    assert "failure" not in line


def test_a_refusal_and_a_broken_line_say_their_sentence(lines) -> None:
    log().error("failed", exc_info=failing(NotFound("there is no order o-1")))
    log().error("failed", exc_info=failing(ConnectionRefusedError(111, "Connection refused")))
    refusal, broken = lines()
    assert refusal["failure"] == "not-found: there is no order o-1"
    assert broken["failure"] == "[Errno 111] Connection refused"


def test_the_cause_is_told_in_the_same_way(lines) -> None:
    try:
        try:
            fail(Typed("Anna Nowak"))
        except Typed as error:
            raise OSError("disk full") from error
    except OSError:
        log().exception("failed")
    (line,) = lines()
    assert (line["failure"], line["cause"]) == ("disk full", "Typed")


def test_a_database_that_quotes_a_value_is_not_quoted(lines) -> None:
    log().error(
        "failed", exc_info=failing(psycopg.errors.UniqueViolation("Key (phone)=(+48600100200) already exists."))
    )
    (line,) = lines()
    assert (line["error"], line["sqlstate"]) == ("UniqueViolation", "23505")
    assert "600100200" not in str(line)


def test_lines_of_libraries_look_like_ours(lines) -> None:
    logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", "pool-1", "timeout")
    logging.getLogger("some.library").warning("cannot parse %s", "Anna Nowak")
    trusted, other = lines()
    assert (trusted["event"], trusted["level"]) == ("error connecting in 'pool-1': timeout", "warning")
    assert other["event"] == "cannot parse %s"


def test_a_library_does_not_say_the_same_ten_times_a_second(lines) -> None:
    for _ in range(10):
        logging.getLogger("aiokafka.cluster").error("Topic %s not found in cluster metadata", "loyalty")
        log().warning("batch_again")
    logging.getLogger("aiokafka.cluster").error("Topic %s not found in cluster metadata", "order")
    events = [line["event"] for line in lines()]
    assert events.count("batch_again") == 10
    assert len(events) == 12


def test_after_a_while_it_may_say_it_again() -> None:
    now = [0.0]
    seldom = SeldomTheSame(lambda: now[0])
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "away", None, None)
    assert [seldom.filter(record), seldom.filter(record)] == [True, False]
    now[0] = 31
    assert seldom.filter(record)
    assert record.repeated == 1


def test_what_was_held_back_is_counted_and_another_error_behind_a_sentence_is_told_at_once(lines, monkeypatch) -> None:
    now = [0.0]
    (seldom,) = (found for found in logging.getLogger().handlers[0].filters if isinstance(found, SeldomTheSame))
    monkeypatch.setattr(seldom, "_clock", lambda: now[0])
    library = logging.getLogger("aiokafka.consumer")
    for _ in range(300):
        library.error("Unexpected error in fetcher routine", exc_info=ConnectionError("gone"))
        library.error("Unexpected error in fetcher routine", exc_info=ValueError("a bug"))
        now[0] += 0.1
    now[0] += 0.1
    library.error("Unexpected error in fetcher routine", exc_info=ConnectionError("gone"))
    assert [(line["error"], line.get("repeated")) for line in lines()] == [
        ("ConnectionError", None),
        ("ValueError", None),
        ("ConnectionError", 299),
    ]


def test_no_canary_gets_out_by_any_path(lines, house) -> None:
    """Personal data goes through every kind of route and every kind of failure; then everything that was written is searched."""
    for canary in CANARIES:
        quoted = canary.encode("ascii", "ignore").decode() or "x"
        body = {"shelf_id": canary, "store_id": "S1", "apples": 1}
        more = {**house.headers(), "Idempotency-Key": "k", "X-Correlation-Id": quoted}
        house.client.post("/v1/shelves", json=body, headers=more)
        house.client.post("/v1/shelves", json={**body, canary: 1, "apples": canary}, headers=more)
        house.client.post("/v1/shelves:stumble", json=body, headers=more)
        house.client.get(f"/v1/shelves/{canary}", params={"phone": canary}, headers=house.headers())
        house.client.get("/v1/shelves", params={"cursor": canary}, headers=house.headers())
        house.client.get("/v1/shelves", headers={"Authorization": f"Bearer {quoted}", "traceparent": quoted})
        for error in (ValueError, KeyError, Typed, RuntimeError, psycopg.errors.DataError):
            log().error("failed", exc_info=failing(error(canary)))
            logging.getLogger("some.library").error("failed on %s", canary, exc_info=failing(error(canary)))
        log().info("seen", customer=canary, query=canary, args=[canary])
    everything = json.dumps(lines(), ensure_ascii=False) + house.client.get("/metrics").text
    assert "request failed" in everything
    for canary in CANARIES:
        assert canary not in everything


def test_a_failed_request_is_logged_once_with_its_ids(lines, house) -> None:
    body = {"shelf_id": "x", "store_id": "S1", "apples": 1}
    answer = house.client.post("/v1/shelves:stumble", json=body, headers=house.headers())
    (line,) = [line for line in lines() if line["level"] == "error"]
    assert line["correlation_id"] == answer.json()["instance"]
    assert (line["route"], line["error"]) == ("/v1/shelves:stumble", "ValueError")


def test_people_may_have_it_in_colour_and_just_as_silent(written) -> None:
    stream = written(log_format="console")
    log().error("failed", phone="+48600100200", exc_info=failing(Typed("Anna Nowak")))
    text = stream.getvalue()
    assert "failed" in text
    assert "Typed" in text
    assert "Nowak" not in text
    assert "600100200" not in text
