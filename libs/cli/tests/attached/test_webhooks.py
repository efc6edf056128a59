"""`till webhooks`: who is called, halted, sent everything again, and forgotten."""

from urllib.parse import urlsplit

import psycopg
import pytest

from tillstream.exits import Exit
from tillstream.local.database_examined import examine_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
NOWHERE = "https://receiver.invalid/in"


@pytest.fixture
def crm(shop):
    """A receiver that begins after everything there is, so that nobody is called meanwhile; and its first secret."""
    (end,) = shop.rows("order", "SELECT position FROM log_head")[0]
    added = shop.till("webhooks", "put", "order", "crm", NOWHERE, "--after", str(end + 1_000_000), "--json")
    assert added.code == 0, added
    yield added.json
    shop.till("webhooks", "delete", "order", "crm", "--yes")


def listed(shop) -> list:
    return shop.till("webhooks", "list", "--json").json["webhooks"]


def health(shop):
    """What the doctor says of order's receivers."""
    with psycopg.connect(shop.attached.database("order")) as database:
        (found,) = [one for one in examine_database("order", database) if one.name == "webhooks of order"]
    return found


def test_who_is_called_is_added_with_a_secret_that_is_shown_once_and_changed_without_one(shop, crm) -> None:
    assert crm["secret"].startswith("whsec_")
    assert [(one["service"], one["name"], one["url"]) for one in listed(shop)] == [("order", "crm", NOWHERE)]
    table = shop.till("webhooks", "list")
    assert "crm" in table.out
    assert "called" in table.out
    shown = shop.till("webhooks", "show", "order", "crm")
    assert "every public event" in shown.out
    sold = "tillstream.order.PurchaseRecorded.v1"
    changed = shop.till("webhooks", "put", "order", "crm", f"{NOWHERE}/2", "--type", sold)
    assert changed.code == 0
    (one,) = listed(shop)
    assert (urlsplit(one["url"]).path, one["types"]) == ("/in/2", [sold])
    assert crm["secret"] not in table.out + shown.out + changed.out + changed.err


def test_a_receiver_is_halted_found_by_the_doctor_and_enabled_again(shop, crm) -> None:
    assert health(shop).ok
    assert shop.till("webhooks", "disable", "order", "crm").code == Exit.USAGE
    halted = shop.till("webhooks", "disable", "order", "crm", "--why", "their move", "--json")
    assert halted.json["disabled_why"] == "their move"
    assert "disabled: their move" in shop.till("webhooks", "list").out

    found = health(shop)
    assert (found.ok, found.detail) == (False, "crm is disabled")
    enable = found.remedy.rpartition(": till ")[2].split()
    assert enable == ["webhooks", "enable", "order", "crm"]
    assert shop.till(*enable).code == 0
    assert health(shop).ok


def test_everything_is_sent_again_from_a_position_and_the_secret_is_changed(shop, crm) -> None:
    sent = shop.till("webhooks", "replay", "order", "crm", "--after", "2", "--json")
    assert (sent.code, sent.json["position"]) == (0, 2)
    secret = shop.till("webhooks", "rotate", "order", "crm")
    assert secret.out.startswith("whsec_")
    assert secret.out.strip() != crm["secret"]
    assert shop.till("webhooks", "rotate", "order", "crm", "--json").json["secret"].startswith("whsec_")
    assert shop.till("webhooks", "show", "order", "crm", "--json").json["former_until"]


def test_who_is_not_there_or_is_inside_is_told_by_the_exit_code(shop) -> None:
    assert shop.till("webhooks", "show", "order", "nobody").code == Exit.NOT_FOUND
    assert shop.till("webhooks", "delete", "order", "nobody", "--yes").code == Exit.NOT_FOUND
    assert shop.till("webhooks", "put", "order", "crm", "https://169.254.169.254/").code == Exit.USAGE
    assert shop.till("webhooks", "list", "bakery").code == Exit.NOT_FOUND
    assert shop.till("webhooks", "delete", "order", "crm").code == Exit.USAGE  # nobody is here to be asked
    assert listed(shop) == []
