"""A long list in pages, by cursors that cannot be made up."""

import base64

import pytest


def page(house, **query):
    return house.client.get("/v1/shelves", params=query, headers=house.headers())


def test_pages_put_together_are_the_list(house) -> None:
    numbers, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        answer = page(house, limit=60, **({"cursor": cursor} if cursor else {})).json()
        numbers += [item["n"] for item in answer["items"]]
        cursor, pages = answer["next_cursor"], pages + 1
    assert numbers == list(range(1, 251))
    assert pages == 5


def test_the_last_page_has_no_next_even_if_it_is_full(house) -> None:
    first = page(house, limit=125).json()
    assert page(house, limit=125, cursor=first["next_cursor"]).json()["next_cursor"] is None


def test_the_next_page_is_linked(house) -> None:
    answer = page(house, limit=100, kind="apples")
    address, relation = answer.headers["link"].split("; ")
    following = house.client.get(address.strip("<>"), headers=house.headers())
    assert relation == 'rel="next"'
    assert following.json()["items"][0] == {"n": 101}


def test_a_cursor_is_good_for_its_own_list_only(house) -> None:
    cursor = page(house, limit=10, kind="apples").json()["next_cursor"]
    assert page(house, limit=20, kind="apples", cursor=cursor).status_code == 200
    assert page(house, limit=10, kind="pears", cursor=cursor).status_code == 400


@pytest.mark.parametrize("cursor", ["x", "AAAA", "A" * 64, "é", "=" * 8, "A" * 1000])
def test_a_made_up_cursor_is_refused(house, cursor) -> None:
    answer = page(house, cursor=cursor)
    assert (answer.status_code, answer.json()["type"]) == (400, "https://tillstream.dev/problems/cursor-unknown")


def test_a_cursor_changed_by_one_bit_is_refused(house) -> None:
    sealed = bytearray(base64.urlsafe_b64decode(page(house, limit=10).json()["next_cursor"] + "=="))
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        cursor = base64.urlsafe_b64encode(changed).decode()
        assert page(house, limit=10, cursor=cursor).status_code == 400


@pytest.mark.parametrize("limit", [0, -1, 201, "many"])
def test_a_page_has_a_size(house, limit) -> None:
    assert page(house, limit=limit).status_code == 422
