import io
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from tillstream.demo.importing import _answers
from tillstream.demo.report import print_live_orders, print_timeline
from tillstream.demo.run import NOTE, Choice, told_before
from tillstream.exits import CommandFailed, Exit


def printed(show: Any, told: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show(told, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def order(number: str, *outcomes: str, statuses: tuple[str, ...] = ("new", "cancelled")) -> dict[str, Any]:
    messages = [
        {
            "channel": "sms",
            "template_id": f"order.{statuses[-1]}",
            "outcome": outcome,
            "reason": "no_consent" if outcome == "suppressed" else None,
            "deferred_until": "2026-11-23T07:00:00+00:00" if outcome == "deferred" else None,
        }
        for outcome in outcomes
    ]
    consent = {"sms": "suppressed" not in outcomes, "email": False}
    return {"number": number, "statuses": list(statuses), "consent": consent, "messages": messages}


def test_live_orders_are_counted_by_the_way_they_went_with_one_example_of_each_outcome() -> None:
    way = ("new", "approval", "completed")
    orders = [order(f"a-{n}", "sent", "deferred", statuses=way) for n in range(20)]
    orders += [order("b-1", "suppressed"), order("c-1", "deferred"), order("c-2", "deferred")]
    lines = printed(print_live_orders, {"live_orders": orders, "messages": []})
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]
    assert ["new → approval → completed", "20", "20", "20", "0"] in cells
    assert ["new → cancelled", "3", "0", "2", "1"] in cells
    assert [cell[0] for cell in cells if cell[0][:2] in {"a-", "b-", "c-"}] == ["a-0", "b-1", "c-1"]
    assert ["c-1", "sms", "order.cancelled", "", "deferred until 07:00 UTC"] in cells
    assert ["b-1", "none", "order.cancelled", "", "no_consent"] in cells


def test_what_repeats_on_a_timeline_is_told_once() -> None:
    def entry(kind: str, minute: int, amount: int | None = None) -> dict[str, Any]:
        return {"occurred_at": f"2026-11-22T10:{minute}:00Z", "kind": kind, "amount_minor": amount, "points": None}

    told = [entry("message.suppressed", 50), entry("message.suppressed", 49), entry("purchase.recorded", 48, 1999)]
    lines = printed(print_timeline, told)
    assert any("2026-11-22 10:50" in line and "message.suppressed × 2" in line for line in lines)
    assert not any("10:49" in line for line in lines)
    assert any("purchase.recorded" in line and "19.99 USD" in line for line in lines)


def test_a_directory_that_holds_another_demo_is_left_alone_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text(json.dumps({"weeks": 4, "today": "2026-11-22"}))
    assert told_before(tmp_path, Choice(4)) == {"weeks": 4, "today": "2026-11-22"}
    for other in (Choice(2), Choice(None), Choice(4, original_dates=True)):
        with pytest.raises(CommandFailed, match="holds the demo of 4 weeks already, with moved dates") as conflict:
            told_before(tmp_path, other)
        assert conflict.value.code == Exit.CONFLICT
    assert told_before(tmp_path / "fresh", Choice(2)) is None


def test_a_customer_whose_row_has_no_problem_is_counted_as_registered() -> None:
    lines = '{"row": 1, "status": "created", "customer_id": "c1", "problem": null}\n{"rows": 1}\n'

    assert _answers(httpx2.Response(200, text=lines), "customers", lambda _: None) == {"created": 1}


def test_a_list_that_breaks_off_is_told_with_its_reason() -> None:
    lines = '{"line": 1, "status": "recorded"}\n{"problem": {"detail": "the database is away"}}\n'

    with pytest.raises(CommandFailed, match="the database is away"):
        _answers(httpx2.Response(200, text=lines), "receipts", lambda _: None)
