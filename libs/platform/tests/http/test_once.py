"""A command sent twice is done once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest


def test_a_repeat_gets_the_first_answer_and_changes_nothing(house) -> None:
    first = house.count(7, key="k1")
    again = house.count(7, key="k1")
    assert (first.status_code, first.json()) == (
        201,
        {"shelf_id": "a", "apples": 7, "version": 1, "repeated": False},
    )
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(house.log.shelves["a"]) == 1


def test_a_repeat_gets_the_first_answer_even_after_things_moved_on(house) -> None:
    first = house.count(7, key="k1")
    house.count(8, key="k2")
    assert house.count(7, key="k1").content == first.content
    assert [event.event.apples for event in house.log.shelves["a"]] == [7, 8]


def test_a_repeat_gets_the_first_answer_even_if_it_would_be_refused_by_now(house) -> None:
    first = house.count(99, key="k1")
    assert house.count(1, key="k2").status_code == 409
    again = house.count(99, key="k1")
    assert (again.status_code, again.content) == (201, first.content)


def test_another_request_under_the_same_key_is_refused(house) -> None:
    house.count(7, key="k1")
    answer = house.count(8, key="k1")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/idempotency-key-reused")
    assert len(house.log.shelves["a"]) == 1


def test_the_same_key_of_another_caller_is_another_key(house) -> None:
    house.count(7, key="k1")
    answer = house.count(8, key="k1", token=house.token(sub="18"))
    assert (answer.status_code, answer.json()["version"]) == (201, 2)


def test_a_command_with_nothing_left_to_do_is_no_creation(house) -> None:
    house.count(7, key="k1")
    answer = house.count(7, key="k2")
    assert (answer.status_code, answer.json()["repeated"]) == (200, True)
    assert len(house.log.shelves["a"]) == 1


def test_a_refusal_is_not_kept_so_the_command_may_succeed_later(house) -> None:
    house.log.overtaken = 1
    assert house.count(7, key="k1").status_code == 409
    assert house.count(7, key="k1").status_code == 201


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency-key-needed"),
        ("", "idempotency-key-unreadable"),
        ("k" * 201, "idempotency-key-unreadable"),
        ("a b", "idempotency-key-unreadable"),
    ],
)
def test_a_command_needs_a_readable_key(house, key, code) -> None:
    answer = house.count(7, key=key)
    assert (answer.status_code, answer.json()["type"]) == (400, f"https://tillstream.dev/problems/{code}")
    assert not house.log.shelves


def test_without_a_token_nobody_is_asked_for_a_key(house) -> None:
    body = {"shelf_id": "a", "store_id": "S1", "apples": 1}
    assert house.client.post("/v1/shelves", json=body).status_code == 401


def test_the_answer_says_its_version_and_how_far_the_log_is(house) -> None:
    house.count(7, key="k1")
    answer = house.count(8, key="k2")
    assert (answer.headers["etag"], answer.headers["x-event-position"]) == ('"2"', "2")
    assert "x-event-position" not in house.client.get("/v1/shelves/a", headers=house.headers()).headers


def test_twenty_at_once_under_one_key_are_one(house) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: house.count(7, key="k1"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len(house.log.shelves["a"]) == 1


def test_an_answer_rendered_in_vain_is_not_given(make_house) -> None:
    """A save that failed leaves a rendered answer behind; what is told in the end is what became of it."""
    from types import SimpleNamespace

    from till_platform.context import answer_wanted
    from till_platform.eventstore.errors import VersionConflict
    from till_platform.http.idempotency import OnceCommand

    house = make_house()
    request = SimpleNamespace(scope={"route": SimpleNamespace(status_code=201)}, app=house.app)

    async def command():
        mine = await house.log.find(type_of_shelf, "a")
        mine.count(7)
        house.log.overtaken = 1
        with pytest.raises(VersionConflict):
            await house.log.save(mine)
        assert answer_wanted() is not None
        theirs = type_of_shelf(type_of_shelf.stream("a"))
        theirs.count(7)
        theirs.collect_events()
        return theirs

    type_of_shelf = house.shelf
    answer = asyncio.run(OnceCommand(request, "17:k1", b"f")(command, house.reply))
    assert answer.status_code == 200
    assert b'"repeated":true' in answer.body
