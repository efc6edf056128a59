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
    (rebuilt,) = done.json["projections"]
    assert rebuilt["rows"] == {"stores": 2}
    assert rebuilt["built_at"] > stores["built_at"]
    assert '"progress": "rebuild"' in done.err


def test_what_there_is_not_cannot_be_rebuilt(shop) -> None:
    assert shop.till("projections", "rebuild", "order", "castles").code == Exit.NOT_FOUND
    assert shop.till("projections", "rebuild", "bakery", "stores").code == Exit.NOT_FOUND
    assert shop.till("projections", "rebuild", "order").code == Exit.USAGE
    assert shop.till("projections", "rebuild", "order", "stores", "--all").code == Exit.USAGE
