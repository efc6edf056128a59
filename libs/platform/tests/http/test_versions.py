"""Who changes something says which version it saw."""

import pytest


def change(house, if_match: str | None, apples: int = 9):
    more = {"If-Match": if_match} if if_match is not None else {}
    body = {"shelf_id": "a", "store_id": "S1", "apples": apples}
    return house.client.put("/v1/shelves/a", json=body, headers={**house.headers(), **more})


def test_the_version_that_was_seen_may_be_changed(house) -> None:
    seen = house.count(7).headers["etag"]
    answer = change(house, seen)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')


def test_a_version_that_is_gone_may_not(house) -> None:
    seen = house.count(7).headers["etag"]
    change(house, seen)
    answer = change(house, seen, apples=10)
    assert answer.status_code == 412
    assert answer.json()["type"].endswith("/version-conflict")
    assert (answer.json()["version"], answer.json()["expected"]) == (2, 1)


def test_without_a_version_nothing_is_changed(house) -> None:
    house.count(7)
    answer = change(house, None)
    assert (answer.status_code, answer.json()["type"]) == (428, "https://tillstream.dev/problems/version-needed")


@pytest.mark.parametrize("header", ["*", "1", 'W/"1"', '"1", "2"', '"x"', '"-1"', '""', '"' + "9" * 30 + '"'])
def test_a_version_must_be_one_we_gave(house, header) -> None:
    house.count(7)
    assert change(house, header).status_code == 400


def test_somebody_faster_is_a_conflict_where_no_version_was_said(house) -> None:
    house.log.overtaken = 1
    answer = house.count(7)
    assert (answer.status_code, answer.json()["type"]) == (409, "https://tillstream.dev/problems/version-conflict")
