import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from till_platform.local.ports import HOST, Ports, is_free
from till_platform.local.problem import LocalProblem


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_is_remembered_from_start_to_start(tmp_path: Path) -> None:
    first = Ports(tmp_path).claim("kafka")
    assert Ports(tmp_path).claim("kafka") == first
    assert Ports(tmp_path)["kafka"] == first


def test_two_parts_of_a_stack_never_get_the_same_port(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    assert len({ports.claim(f"part-{number}") for number in range(50)}) == 50


def test_a_port_somebody_asked_for_that_is_taken_is_refused_by_name_and_number(tmp_path: Path, taken: int) -> None:
    with pytest.raises(LocalProblem, match=f"port {taken}, asked for kafka, is taken") as refusal:
        Ports(tmp_path, {"kafka": taken}).claim("kafka")
    assert refusal.value.remedy == "stop that program or give kafka another port"


def test_a_preferred_port_that_is_taken_is_given_up_quietly(tmp_path: Path, taken: int) -> None:
    assert Ports(tmp_path, preferred={"kafka": taken}).claim("kafka") != taken


def test_a_remembered_port_that_is_taken_meanwhile_is_replaced(tmp_path: Path, taken: int) -> None:
    (tmp_path / "ports.json").write_text(f'{{"kafka": {taken}}}')
    port = Ports(tmp_path).claim("kafka")
    assert port != taken
    assert Ports(tmp_path)["kafka"] == port


def test_a_port_others_were_told_of_is_waited_for_and_not_replaced(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    port = ports.claim("kafka")
    with socket.create_server((HOST, port)), pytest.raises(LocalProblem, match=f"port {port} of kafka was taken"):
        ports.claim("kafka")
    assert ports.claim("kafka") == port


def test_a_file_of_ports_that_was_damaged_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"kafka": 1')
    assert is_free(Ports(tmp_path).claim("kafka"))


def test_a_port_is_free_when_nobody_listens_and_taken_when_somebody_does(taken: int) -> None:
    assert not is_free(taken)


def test_two_stacks_that_start_at_once_never_choose_the_same_port(tmp_path):
    one, other = (Ports(tmp_path / name, preferred={"kafka": 23_456}) for name in ("one", "other"))
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    assert one.claim("kafka") != other.claim("kafka")


def test_a_port_that_another_stack_is_about_to_use_is_refused_to_who_asks_for_it(tmp_path):
    one = Ports(tmp_path)
    port = one.claim("kafka")
    with pytest.raises(LocalProblem, match=str(port)):
        Ports(tmp_path, {"valkey": port}).claim("valkey")


def test_a_port_that_was_looked_at_and_found_taken_is_not_kept_from_others(tmp_path: Path, taken: int) -> None:
    ports = Ports(tmp_path, preferred={"kafka": taken})
    ports.claim("kafka")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, taken))
