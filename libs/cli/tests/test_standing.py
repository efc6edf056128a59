from tillstream.letters import by_reason, heads
from tillstream.standing import Standing


def test_who_is_behind_is_named_with_what_is_left() -> None:
    standing = Standing(
        recorded={"order": 10, "customer": 3},
        published={"order": 8, "customer": 3},
        taken={("customer", "till.order", 0): 5, ("customer", "till.order", 1): 4},
        ends={("till.order", 0): 5, ("till.order", 1): 6},
    )
    assert standing.behind == 4
    assert standing.laggards == ["order has 2 events to publish", "customer has 2 records of till.order/1 to take"]


def test_nobody_is_behind_where_everything_is_published_and_taken() -> None:
    standing = Standing({"order": 1}, {"order": 1}, {("order", "till.order", 0): 1}, {("till.order", 0): 1})
    assert (standing.behind, standing.laggards) == (0, [])


def test_letters_are_grouped_by_reason_and_retried_from_their_heads() -> None:
    letters = [
        {"id": number, "service": "order", "reason": reason, "type": "t", "settled_at": settled}
        for number, reason, settled in [
            (1, "unreadable-event", None),
            (2, "waiting", None),
            (3, "waiting", None),
            (4, "unreadable-event", "2026-11-22"),
        ]
    ]
    assert [(group["reason"], group["letters"]) for group in by_reason(letters)] == [
        ("unreadable-event", 2),
        ("waiting", 2),
    ]
    assert [letter["id"] for letter in heads(letters)] == [1]
