import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tillstream.commands.import_ import on_disk
from tillstream.exits import CommandFailed, Exit
from tillstream.importing import json_lines
from tillstream.importing.customer_list import send_list
from tillstream.importing.kind import Kind, kind_of
from tillstream.importing.outcome import REMEMBERED, Outcome

PRODUCT = b'{"product_id": "p-1", "name": "Tea"}\n'
RECEIPT = (
    b'{"store_id": "s-1", "till_id": "1", "receipt_number": "7", "occurred_at": "2026-11-22T09:00:00Z", "lines": []}\n'
)


def answering(answer: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://order")


def each_answered(request: httpx2.Request) -> httpx2.Response:
    """Take every line that says `ok`, refuse the others; empty lines count, but are not answered."""
    answers = []
    for number, line in enumerate(request.read().splitlines(), 1):
        if not line.strip():
            continue
        good = b"ok" in line
        told = {"status": "listed"} if good else {"status": "rejected", "problem": {"detail": "no good"}}
        answers.append({"line": number, **told})
    return httpx2.Response(200, text="\n".join(json.dumps(answer) for answer in answers))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "told"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines.time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PRODUCT, Kind.PRODUCTS),
        (RECEIPT, Kind.RECEIPTS),
        (b"\xef\xbb\xbf" + PRODUCT, Kind.PRODUCTS),
        (b'\n\n{"broken\n' + RECEIPT, Kind.RECEIPTS),
        (b"name;phone\nAnna;1\n", Kind.CUSTOMERS),
        ("ФИО;Телефон\n".encode("cp1251"), Kind.CUSTOMERS),
        (b"PK\x03\x04the rest of a spreadsheet", Kind.CUSTOMERS),
    ],
)
def test_what_a_file_holds_is_seen_from_its_content(file, content: bytes, kind: Kind) -> None:
    assert kind_of(file(content)) is kind
    assert kind_of(file(content), kind.service) is kind


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"weather": "fine"}\n', b"[1, 2]\n", b'{"broken\n'])
def test_a_file_that_holds_nothing_of_the_kind_is_refused(file, content: bytes) -> None:
    with pytest.raises(CommandFailed) as refused:
        kind_of(file(content))
    assert refused.value.code is Exit.USAGE


def test_a_file_for_another_service_is_refused(file) -> None:
    with pytest.raises(CommandFailed, match="looks like products"):
        kind_of(file(PRODUCT), "customer")


def test_rows_keep_their_number_in_the_file_however_it_is_cut(file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "AT_ONCE", 2)
    outcome, told = Outcome(), []
    path = file(b"\xef\xbb\xbf1 ok\n\n3\n4 ok\n5")
    with answering(each_answered) as client:
        json_lines.send_lines(client, Kind.PRODUCTS, path, outcome, told.append)
    assert outcome.counts == {"listed": 2, "rejected": 2}
    assert [(refused["row"], refused["reason"]) for refused in outcome.refused] == [(3, "no good"), (5, "no good")]
    assert told == [2, 4, 5]


def test_a_service_that_is_away_for_a_moment_gets_the_same_lines_again(file) -> None:
    seen: list[bytes] = []

    def away_twice(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.read())
        if len(seen) == 1:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(503) if len(seen) == 2 else each_answered(request)

    outcome = Outcome()
    with answering(away_twice) as client:
        json_lines.send_lines(client, Kind.PRODUCTS, file(b"ok\n"), outcome, lambda _: None)
    assert outcome.counts == {"listed": 1}
    assert seen == [b"ok\n"] * 3


def test_a_service_that_stays_away_is_given_up_with_the_exit_code_for_it(file) -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with answering(away) as client, pytest.raises(CommandFailed) as failed:
        json_lines.send_lines(client, Kind.PRODUCTS, file(b"ok\n"), Outcome(), lambda _: None)
    assert failed.value.code is Exit.UNAVAILABLE


def test_a_refusal_of_everything_is_told_with_its_reason(file) -> None:
    answer = httpx2.Response(403, json={"detail": "your role may not do this"})
    with answering(lambda _: answer) as client, pytest.raises(CommandFailed, match="your role may not") as failed:
        json_lines.send_lines(client, Kind.PRODUCTS, file(b"ok\n"), Outcome(), lambda _: None)
    assert failed.value.code is Exit.FORBIDDEN


def test_an_answer_that_breaks_off_is_not_taken_for_whole(file) -> None:
    broken = '{"line": 1, "status": "listed"}\n{"problem": {"detail": "something is wrong"}}'
    with (
        answering(lambda _: httpx2.Response(200, text=broken)) as client,
        pytest.raises(CommandFailed, match="after 1 of 2 lines: something is wrong"),
    ):
        json_lines.send_lines(client, Kind.PRODUCTS, file(b"ok\nok\n"), Outcome(), lambda _: None)


def test_a_dry_run_of_json_lines_names_what_cannot_be_right(file) -> None:
    outcome = Outcome()
    json_lines.look_through(Kind.PRODUCTS, file(PRODUCT + b'{"name": "x"}\n\n7\n'), outcome, lambda _: None)
    assert [(refused["row"], refused["reason"]) for refused in outcome.refused] == [
        (2, "product_id missing"),
        (4, "the line is not a JSON document"),
    ]
    assert outcome.counts == {"readable": 1, "unreadable": 2}


def test_a_customer_list_whose_answer_has_no_last_line_was_not_read_to_its_end(file) -> None:
    outcome = Outcome()
    row = httpx2.Response(200, text='{"row": 2, "status": "created"}\n')
    with answering(lambda _: row) as client, pytest.raises(CommandFailed, match="not read to its end, but 1 rows were"):
        send_list(client, file(b"name\nAnna\n"), {}, outcome, lambda _: None)
    assert outcome.counts == {"created": 1}


def test_every_refused_row_is_kept_in_the_file_and_the_first_thousand_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "rejects.ndjson"
    with Outcome(path) as outcome:
        for row in range(1, REMEMBERED + 11):
            outcome.add(row, "rejected", {"detail": "no good"}, original="ł")
        outcome.add(9999, "created")
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (len(outcome.refused), len(kept), outcome.bad, outcome.rows) == (1000, 1010, 1010, 1011)
    assert kept[-1] == {
        "row": 1010, "status": "rejected", "reason": "no good", "problem": {"detail": "no good"}, "original": "ł",
    }  # fmt: skip


def test_what_comes_through_a_pipe_is_kept_only_while_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PRODUCT)))
    with on_disk(Path("-")) as path:
        assert kind_of(path) is Kind.PRODUCTS
        assert path.read_bytes() == PRODUCT
        assert path.stat().st_mode & 0o077 == 0
    assert not path.exists()
    with on_disk(Path("given.csv")) as path:
        assert path == Path("given.csv")
