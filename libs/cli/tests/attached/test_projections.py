"""`till projections` on services that run."""

import pytest

from tillstream.exits import Exit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_rebuilt_read_model_holds_again_what_was_lost(shop) -> None:
    ((rows,),) = shop.rows("order", "SELECT count(*) FROM stores.stores")
    before = shop.till("projections", "list", "order", "--json").json["projections"]
    stores = next(one for one in before if one["name"] == "stores")
    assert stores["rows"] == {"stores": rows} == {"stores": 2}
    shop.rows("order", "DELETE FROM stores.stores WHERE store_id = 's-1' RETURNING 1")

    done = shop.till("projections", "rebuild", "order", "stores", "--json")

    assert done.code == 0, done
    rebuilt, old = done.json["projections"]
    assert rebuilt["rows"] == {"stores": 2}
    assert rebuilt["built_at"] > stores["built_at"]
    assert '"progress": "rebuild"' in done.err
    assert '"seconds_left"' in done.err
    assert (old["rows"], old["built_at"]) == ({"stores": 1}, stores["built_at"])
    assert old["kept_since"]


def test_what_a_read_model_was_before_is_kept_until_it_is_dropped(shop) -> None:
    shop.till("projections", "rebuild", "order", "products")
    assert "old, kept since" in shop.till("projections", "list", "order").out
    assert shop.till("projections", "drop", "order", "products", "--json").json == {"dropped": ["products"]}
    assert shop.till("projections", "drop", "order", "products").code == Exit.NOT_FOUND
    listed = shop.till("projections", "list", "order", "--json").json["projections"]
    assert [one["kept_since"] for one in listed if one["name"] == "products"] == [None]


def test_a_row_that_is_wrong_is_named_with_the_events_that_speak_of_it(shop) -> None:
    assert shop.till("projections", "compare", "order", "products", "--json").json["equal"] is True
    shop.rows("order", "UPDATE products.products SET name = 'Coffee' WHERE product_id = 'p-2' RETURNING 1")
    done = shop.till("projections", "compare", "order", "products", "--json")
    verified = shop.till("verify", "order", "--json")
    shop.till("projections", "rebuild", "order", "products")

    assert done.code == verified.code == Exit.FAILURE
    (found,) = [one["difference"] for one in done.json["projections"]]
    assert (found["key"], found["columns"], found["rows"]) == ({"product_id": "p-2"}, ["name"], 1)
    assert [(event["type"], event["stream"]) for event in found["events"]] == [
        ("tillstream.order.ProductListed.v1", "product-p-2")
    ]
    (sentence,) = verified.json["differences"]
    assert "first of 1 rows: products (product_id p-2) name is ***" in sentence
    assert "ProductListed product-p-2@1" in sentence
    assert shop.till("projections", "compare", "order", "products").code == 0


def test_who_somebody_is_stays_hidden_where_rows_are_compared(shop) -> None:
    shop.rows("customer", "DELETE FROM customers.identifiers WHERE kind = 'phone' RETURNING 1")
    compare = ("projections", "compare", "customer", "customers")
    hidden, shown = shop.till(*compare, "--json"), shop.till(*compare, "--json", "--unmask")
    sentence = shop.till(*compare).out
    shop.till("projections", "rebuild", "customer", "customers")

    assert "48600000001" not in hidden.out + sentence
    assert "is missing" in sentence
    assert "48600000001" in shown.out, "control: it is there to be hidden"


def test_what_there_is_not_cannot_be_rebuilt(shop) -> None:
    assert shop.till("projections", "rebuild", "order", "castles").code == Exit.NOT_FOUND
    assert shop.till("projections", "rebuild", "bakery", "stores").code == Exit.NOT_FOUND
    assert shop.till("projections", "rebuild", "order").code == Exit.USAGE
    assert shop.till("projections", "rebuild", "order", "stores", "--all").code == Exit.USAGE
