import socket
from pathlib import Path

import pytest

from till_platform.local import LocalProblem
from tillstream.local import control
from tillstream.local.directory import DataDirectory
from tillstream.local.state import StackState


@pytest.mark.integration
def test_what_keeps_a_stack_in_the_background_from_starting_is_told_once_with_what_to_do(tmp_path: Path) -> None:
    directory, said = DataDirectory(tmp_path), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalProblem) as problem:
            control.start_detached(directory, ports={"postgres": port}, say=said.append)
    assert problem.value.problem == f"port {port}, asked for postgres, is taken by another program"
    assert problem.value.remedy == "stop that program or give postgres another port"
    assert not [line for line in said if str(port) in line]
    assert not StackState.read(directory).running
    assert control.stop(directory, said.append) is False


def test_a_directory_is_forgotten_only_if_tillstream_ran_from_it(tmp_path: Path) -> None:
    home, ours = DataDirectory(tmp_path / "home"), DataDirectory(tmp_path / "ours")
    home.path.mkdir()
    (home.path / "letter.txt").write_text("mine")
    ours.run.mkdir(parents=True)
    ours.owner_lock.touch()
    with pytest.raises(LocalProblem, match="is not deleted: Tillstream never ran from it"):
        control.forget(home, print)
    assert [file.name for file in home.path.iterdir()] == ["letter.txt"]
    control.forget(ours, print)
    control.forget(ours, print)
    assert not ours.path.exists()
