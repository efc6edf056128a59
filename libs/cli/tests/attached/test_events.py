"""`till events` on services that run."""

import asyncio
from contextlib import aclosing

import pytest

from till_events.structured import from_line
from tillstream.events.topic_reader import Wanted, tail
from tillstream.exits import Exit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_the_last_events_come_in_the_order_in_which_they_were_recorded_as_cloudevents(shop) -> None:
    done = shop.till("events", "tail", "order", "-n", "3", "--json")
    events = [from_line(line.encode()) for line in done.out.splitlines()]
    last = shop.rows("order", "SELECT id::text, data FROM log WHERE public ORDER BY position DESC LIMIT 3")
    assert [(envelope.id, data) for envelope, data in reversed(events)] == last


def test_all_events_of_a_type_are_found_however_far_back_they_are(shop) -> None:
    opened = shop.till("events", "tail", "--type", "storeopened", "-n", "1", "--json").lines
    assert [event["type"] for event in opened] == ["tillstream.order.StoreOpened.v1"]
    every = shop.till(
        "events", "tail", "order", "--type", "Store*", "--type", "ProductListed", "--from-start", "--json"
    )
    stored = shop.rows("order", "SELECT id::text FROM log WHERE type ~ 'StoreOpened|ProductListed'")
    assert {event["id"] for event in every.lines} == {found for (found,) in stored}
    assert shop.till("events", "tail", "--type", "Nothing").code == Exit.USAGE


def test_events_since_a_moment_are_those_recorded_since(shop) -> None:
    ((moment,),) = shop.rows("order", "SELECT recorded_at FROM log ORDER BY position DESC LIMIT 1")
    found = shop.till("events", "tail", "order", "--since", moment.isoformat(), "--json").lines
    since = shop.rows("order", "SELECT id::text FROM log WHERE recorded_at >= %s", [moment])
    assert {event["id"] for event in found} == {one for (one,) in since}
    assert shop.till("events", "tail", "order", "--since", "2200-01-01", "--json").out == ""


def test_who_somebody_is_stays_hidden_unless_it_is_asked_for(shop) -> None:
    for command in (("events", "tail", "customer", "--from-start"), ("events", "show", "customer-c-1")):
        for masked in (shop.till(*command), shop.till(*command, "--json")):
            assert "customer-c-1" in masked.out
            assert not any(told in masked.out for told in ("Łukasz", "48600000001"))
        assert "Łukasz" in shop.till(*command, "--json", "--unmask").out


def test_followed_topics_show_what_comes(shop, file) -> None:
    more = file("products.ndjson", [shop.product(300)])

    async def follow() -> list[str]:
        wanted = Wanted(topics=[shop.attached.topic("order")])
        seen: list[str] = []
        async with aclosing(tail(shop.attached.kafka, wanted, last=0, follow=True)) as batches:
            async for events in batches:
                seen += [event.envelope.subject for event in events]
                if seen:
                    break
                await asyncio.to_thread(shop.till, "import", str(more))
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 120)) == ["product-p-300"]


def test_an_event_is_shown_whole_and_a_stream_line_by_line(shop) -> None:
    stream = "product-p-1"
    (event,) = shop.till("events", "show", stream, "--json").lines
    assert (event["subject"], event["data"]["name"]) == (stream, "Tea 1")
    whole = shop.till("events", "show", event["id"]).out
    assert '"name": "Tea 1"' in whole
    assert event["correlationid"] in whole
    assert shop.till("events", "show", f"{stream}@1").out == whole
    assert f"{stream}@1" in shop.till("events", "show", stream).out
    for nothing in (f"{stream}@2", "product-none", "019a0000-0000-7000-8000-000000000000"):
        assert shop.till("events", "show", nothing).code == Exit.NOT_FOUND


@pytest.mark.parametrize("by", ["type", "service", "day", "store"])
def test_events_are_counted_and_no_grouping_loses_any(shop, by) -> None:
    ((order,),) = shop.rows("order", "SELECT count(*) FROM log")
    ((customer,),) = shop.rows("customer", "SELECT count(*) FROM log")
    done = shop.till("events", "count", "--by", by, "--json").json
    assert done["events"] == sum(group["events"] for group in done["counts"]) == order + customer
