"""`till events show --at`: what something was, put together from its events."""

import json
from datetime import UTC, datetime

import pytest

from tillstream.exits import Exit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def show(shop, *arguments: str):
    return shop.till("events", "show", *arguments, "--json").json


@pytest.fixture(scope="module")
def renamed(shop, tmp_path_factory) -> datetime:
    """A product that was renamed; the time between."""
    path = tmp_path_factory.mktemp("renamed") / "products.ndjson"
    for name in ("Tea", "Coffee"):
        path.write_text(json.dumps(shop.product(800, name=name)) + "\n")
        assert shop.till("import", str(path)).code == 0
    first = shop.rows("order", "SELECT recorded_at FROM log WHERE stream = 'product-p-800' AND sequence = 1")[0][0]
    return first.astimezone(UTC)


def test_a_thing_is_shown_as_it_was_at_any_time(shop, renamed) -> None:
    before, now = show(shop, "product-p-800", "--at", renamed.isoformat()), show(shop, "product-p-800", "--at", "now")
    assert (before["version"], before["state"]["description"]["name"]) == (1, "Tea")
    assert (now["version"], now["state"]["description"]["name"], now["kind"], now["service"]) == (
        2,
        "Coffee",
        "product",
        "order",
    )
    assert '"name": "Tea"' in shop.till("events", "show", "product-p-800", "--at", renamed.isoformat()).out
    assert shop.till("events", "show", "product-p-800", "--at", "2001-01-01").code == Exit.NOT_FOUND
    assert shop.till("events", "show", "product-p-801", "--at", "now").code == Exit.NOT_FOUND


def test_what_changed_between_two_times_is_named_with_the_events_that_did_it(shop, renamed) -> None:
    arguments = ("product-p-800", "--at", "now", "--diff", renamed.isoformat())
    told = show(shop, *arguments)
    assert (told["before"]["version"], told["after"]["version"]) == (1, 2)
    assert {"path": "description.name", "before": "Tea", "after": "Coffee"} in told["changes"]
    assert [(event["sequence"], event["type"]) for event in told["because_of"]] == [
        (2, "tillstream.order.ProductChanged.v1")
    ]
    assert 'description.name: "Tea" → "Coffee"' in shop.till("events", "show", *arguments).out
    assert shop.till("events", "show", "product-p-800", "--diff", "now").code == Exit.USAGE


def test_by_the_shops_time_what_was_told_late_had_happened_before(shop) -> None:
    ((stream, occurred_at),) = shop.rows(
        "order", "SELECT stream, occurred_at FROM log WHERE starts_with(stream, 'receipt-') ORDER BY position LIMIT 1"
    )
    at = ("events", "show", stream, "--at", occurred_at.isoformat())
    assert shop.till(*at, "--by", "occurred").code == 0
    assert shop.till(*at).code == Exit.NOT_FOUND, "control: it was recorded later"


def test_everything_there_is_can_be_put_together(shop) -> None:
    for service in ("order", "customer"):
        query = (
            "SELECT DISTINCT ON (2) stream, split_part(stream, '-', 1) FROM log"
            " WHERE NOT starts_with(stream, 'signatures-') ORDER BY 2, position"  # signatures are about the log itself
        )
        for stream, kind in shop.rows(service, query):
            told = show(shop, stream, "--at", "now")
            assert (told["service"], told["stream"]) == (service, stream)
            assert told["kind"].startswith(kind)
            assert told["state"]


def test_who_somebody_is_stays_hidden_in_what_they_were(shop) -> None:
    masked = shop.till("events", "show", "customer-c-1", "--at", "now", "--json").out
    assert not any(told in masked for told in ("Łukasz", "48600000001"))
    shown = shop.till("events", "show", "customer-c-1", "--at", "now", "--json", "--unmask").out
    assert "Łukasz" in shown
    assert "48600000001" in shown
