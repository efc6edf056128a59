"""Customer lists over HTTP: every row answered, nothing done twice, and nothing of a list that can harm."""

import json
import socket
import time

import pytest

from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

RUSSIAN = (
    "Внешний код;ФИО;Телефон;E-mail;Дата рождения;Согласие на SMS;Дата согласия\n"
    "A-1;Щукина Юлия;8 (916) 700-00-01;Julia@Example.com;04.05.1990;да;31.01.2020\n"
    "A-2;Петров Пётр;89167000002;;12.11.1985;нет;\n"
    ";;;;;;\n"
    "A-3;=1+1;89167000003;;;;\n"
    "A-4;Без Телефона;12;;;;\n"
    "A-5;Седова Анна;;anna.sedova;;;\n"
    "A-1;Щукина Юлия Сергеевна;;;;;\n"
)


def lines(answer) -> tuple[list[dict], dict]:
    assert answer.status_code == 200, answer.text
    *rows, last = [json.loads(line) for line in answer.text.splitlines()]
    return rows, last["summary"]


def test_a_list_of_another_time_is_taken_row_by_row_and_the_second_time_nothing_is_left_to_do(town, send) -> None:
    content = RUSSIAN.encode("cp1251")
    answer = send(content, country="RU", mode="update")
    rows, summary = lines(answer)
    assert [(row["row"], row["status"], (row["problem"] or {}).get("field")) for row in rows] == [
        (2, "created", None),
        (3, "created", None),
        (5, "rejected", "name"),
        (6, "rejected", "phones"),
        (7, "rejected", "emails"),
        (8, "updated", None),
    ]
    assert (summary["encoding"], summary["delimiter"], summary["rows"]) == ("cp1251", ";", 6)
    assert (summary["created"], summary["updated"], summary["skipped"], summary["rejected"]) == (2, 1, 0, 3)
    assert rows[0]["customer_id"] == rows[5]["customer_id"]
    julia = town.client().get(f"/v1/customers/{rows[0]['customer_id']}").json()
    assert (julia["name"], julia["phones"], julia["emails"]) == (
        "Щукина Юлия Сергеевна",
        ["+79167000001"],
        ["julia@example.com"],
    )
    assert [(consent["channel"], consent["granted"], consent["since"][:10]) for consent in julia["consents"]] == [
        ("sms", True, "2020-01-31")
    ]
    before = town.service.rows("SELECT count(*) FROM log")
    again, total = lines(send(content, country="RU", mode="skip"))
    assert [row["status"] for row in again] == ["skipped", "skipped", "rejected", "rejected", "rejected", "skipped"]
    assert total["created"] == total["updated"] == 0
    assert town.service.rows("SELECT count(*) FROM log") == [(before[0][0] + 2,)]  # another mode: an import of its own
    assert "8 (916)" not in town.service.log_text()
    shown = town.client().get(f"/v1/imports/{answer.headers['Import-Id']}").json()
    assert (shown["file_name"], shown["created"], shown["rejected"]) == ("customers.csv", 2, 3)


def test_a_dry_run_answers_the_same_and_records_nothing(town, send) -> None:
    content = b"name,phone,card\nDry One,601100001,2000000001005\nDry Two,601100002,\nDry Three,,2000000001005\n"
    before = town.service.rows("SELECT count(*) FROM log")
    dry, planned = lines(send(content, mode="update", dry_run="true"))
    assert town.service.rows("SELECT count(*) FROM log") == before
    real, done = lines(send(content, mode="update"))
    assert dry == real
    assert {**planned, "dry_run": False} == done
    assert [row["status"] for row in real] == ["created", "created", "updated"]


def test_a_corrected_mapping_corrects_and_does_not_double(town, send) -> None:
    content = b"who,ring\nJan Mapa,601100010\n"
    first, _ = lines(send(content, mapping=json.dumps({"who": "name"})))
    second, _ = lines(send(content, mapping=json.dumps({"who": "name", "ring": "phone"}), mode="update"))
    assert (first[0]["status"], second[0]["status"]) == ("created", "updated")
    assert first[0]["customer_id"] == second[0]["customer_id"]


def test_a_list_broken_off_is_finished_by_sending_it_again(town, send) -> None:
    rows = [f"L-{number},Broken {number},{601200000 + number}" for number in range(1200)]
    part, whole = "\n".join(["id,name,phone", *rows[:700]]), "\n".join(["id,name,phone", *rows])
    lines(send(part.encode()))
    answers, summary = lines(send(whole.encode()))
    assert (summary["created"], summary["skipped"]) == (500, 700)
    assert [answer["row"] for answer in answers] == list(range(2, 1202))


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(town, send) -> None:
    content = ("id,name\n" + "".join(f"K-{number},Kill {number}\n" for number in range(3000))).encode()
    lines(send(content))
    town.service.kill()
    town.service.start()
    _, summary = lines(send(content))
    assert (summary["created"], summary["skipped"]) == (0, 3000)
    eventually(
        lambda: town.service.rows("SELECT count(*) FROM customers.customers WHERE external_id LIKE 'K-%%'") == [(3000,)]
    )
    assert all(town.service.verify().values())


def test_2500_customers_are_brought_in_within_seconds(town, send) -> None:
    content = "name;phone;email;card\n" + "".join(
        f"Klient Numer{number};{602000000 + number};klient{number}@example.com;20009{number:08}\n"
        for number in range(2500)
    )
    started = time.perf_counter()
    _, summary = lines(send(content.encode()))
    seconds = time.perf_counter() - started
    assert summary["created"] == 2500
    assert seconds < 20, seconds


def test_a_manager_brings_in_customers_of_reachable_stores_only(town, send) -> None:
    rows, _ = lines(
        send(b"name,store\nMine,s1\nYours,s2\nNobodys,\n", client=town.client("manager", stores=["s1"]), country="PL")
    )
    assert [(row["status"], (row["problem"] or {}).get("code")) for row in rows] == [
        ("created", None),
        ("rejected", "forbidden"),
        ("created", None),
    ]
    for role in ("cashier", "analyst", "auditor"):
        assert send(b"name\nX\n", client=town.client(role)).status_code == 403


def test_a_preview_shows_how_a_list_is_understood(send) -> None:
    answer = send("Imię i nazwisko;Telefon;Uwagi\nŁukasz Żółć;501234567;x\n".encode("cp1250"), "/v1/imports:preview")
    shown = answer.json()
    assert (shown["encoding"], shown["delimiter"], shown["format"]) == ("cp1250", ";", "csv")
    assert shown["suggested_mapping"] == {"Imię i nazwisko": "name", "Telefon": "phone"}
    assert shown["first_rows"] == [["Łukasz Żółć", "501234567", "x"]]
    assert "consent_marketing_sms" in shown["fields"]


@pytest.mark.parametrize(
    ("content", "form", "status"),
    [
        (b"", {}, 422),
        (b"a;b\n1;2\n", {}, 422),
        (b"name\nA\n", {"mapping": "not json"}, 422),
        (b"name\nA\n", {"mapping": '{"nome": "name"}'}, 422),
        (b"name\nA\n", {"mapping": '{"name": "password"}'}, 422),
        (b"name\nA\n", {"mode": "merge"}, 422),
        (b"name\nA\n", {"country": "ZZ"}, 422),
        (b"name\nA\n", {"zone": "Mars"}, 422),
        (b"name\nA\n", {"encoding": "base64"}, 422),
        (b"name\nA\n", {"surprise": "1"}, 422),
        (b"PK\x03\x04nonsense", {}, 422),
        (b"\xd0\xcf\x11\xe0nonsense", {}, 422),
    ],
)
def test_a_list_or_an_instruction_that_makes_no_sense_is_refused_whole(send, content, form, status) -> None:
    answer = send(content, **form)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_no_form_with_a_file_is_refused(town) -> None:
    client = town.client()
    assert client.post("/v1/imports", content=b"name\nA\n").status_code == 415
    assert client.post("/v1/imports", data={"file": "x"}).status_code == 415
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/imports", content=b"rubbish", headers=boundary).status_code in {400, 422}
    assert client.post("/v1/imports", content=iter([b"--x"]), headers=boundary).status_code == 411
    assert client.get("/v1/imports/none").status_code == 404


def test_a_list_that_is_far_too_long_is_refused_before_it_is_sent(town) -> None:
    client = town.client()
    head = (
        f"POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000001\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as wire:
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")
