"""`till import` on services that run: what is in stays in, what is refused is told, and nothing happens twice."""

import json

import pytest

from tillstream.exits import Exit
from tillstream.importing import json_lines

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_list_of_receipts_is_taken_line_by_line_and_what_was_refused_is_told_and_kept(shop, file, tmp_path) -> None:
    told = [shop.receipt(101), shop.receipt(2, total_minor=1), shop.receipt(103), {"receipt_number": "x"}]
    path, rejects = file("receipts.ndjson", told), tmp_path / "rejects.ndjson"
    done = shop.till("import", str(path), "--json", "--rejects", str(rejects))
    assert done.code == Exit.ROW_ERRORS
    assert done.json["kind"] == "receipts"
    assert done.json["counts"] == {"recorded": 2, "rejected": 2}
    assert [refused["row"] for refused in done.json["refused"]] == [2, 4]
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [json.loads(line["original"]) for line in kept] == [told[1], told[3]]
    assert all(line["problem"]["detail"] == line["reason"] for line in kept)

    again = shop.till("import", str(path))
    assert again.code == Exit.ROW_ERRORS
    assert "4 receipts: 2 repeated, 2 rejected" in again.out
    assert again.out.startswith("row 2: ")


def test_the_same_command_goes_on_after_an_interruption(shop, file, monkeypatch) -> None:
    path = file("products.ndjson", [shop.product(number) for number in range(200, 210)])
    send, sent = json_lines._answered, []

    def interrupted_after_two_parts(client, where, lines):
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(lines)
        return send(client, where, lines)

    with monkeypatch.context() as patched:
        patched.setattr(json_lines, "AT_ONCE", 3)
        patched.setattr(json_lines, "_answered", interrupted_after_two_parts)
        stopped = shop.till("import", str(path))
    assert stopped.code == Exit.INTERRUPTED
    assert "stopped after 6 rows" in stopped.err
    assert shop.till("import", str(path), "--json").json["counts"] == {"repeated": 6, "listed": 4}


def test_a_customer_list_is_looked_through_before_it_is_brought_in(shop, file) -> None:
    path = file("people.csv", "Kto;Telefon\nEwa Zając;600 000 002\n;600 000 003\n")
    how = ("import", str(path), "--mapping", '{"Kto": "name", "Telefon": "phone"}', "--country", "PL", "--json")
    (before,) = shop.rows("customer", "SELECT count(*) FROM log")
    trial = shop.till(*how, "--dry-run")
    assert (trial.code, trial.json["counts"]) == (Exit.ROW_ERRORS, {"created": 1, "rejected": 1})
    assert trial.json["refused"][0]["row"] == 3
    assert shop.rows("customer", "SELECT count(*) FROM log") == [before]
    assert shop.till(*how).json["counts"] == {"created": 1, "rejected": 1}
    assert shop.till(*how).json["counts"] == {"skipped": 1, "rejected": 1}


def test_what_nobody_can_take_is_refused_before_anything_is_sent(shop, file) -> None:
    receipts = file("receipts.ndjson", [shop.receipt(104)])
    assert shop.till("import", str(receipts), "--service", "customer").code == Exit.USAGE
    assert shop.till("import", str(file("x.ndjson", [{"some": "thing"}]))).code == Exit.USAGE
    assert shop.till("import", str(file("empty.csv", ""))).code == Exit.USAGE
    assert shop.till("import", str(receipts), "--mapping", "[1]").code == Exit.USAGE
    assert shop.till("import", str(receipts.parent / "nowhere.csv")).code == Exit.USAGE
