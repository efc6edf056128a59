"""A small disk can be filled to the last byte and given back; where none may be mounted that is said, and nothing is filled."""

import errno

import pytest
from faultlab.lab import run
from faultlab.lab.volumes import Volume, may_mount


@pytest.mark.skipif(not may_mount(), reason="no disk may be mounted here: that takes root on Linux")
def test_on_a_full_disk_nothing_can_be_written_until_it_is_given_back(tmp_path):
    volume = Volume("logs", tmp_path / "disk")
    volume.mount()
    try:
        (volume.path / "before").write_bytes(b"x" * 10_000)
        (volume.path / "what.log").write_bytes(b"said")
        volume.fill()
        with pytest.raises(OSError, match="No space left") as full:
            (volume.path / "more").write_bytes(b"x" * 100_000)
        assert full.value.errno == errno.ENOSPC
        assert (volume.path / "before").read_bytes() == b"x" * 10_000
        volume.free()
        (volume.path / "more").write_bytes(b"x" * 100_000)
    finally:
        volume.unmount()
    assert [(file.name, file.read_bytes()) for file in volume.path.iterdir()] == [("what.log", b"said")]


def test_where_no_disk_may_be_mounted_it_is_said_that_the_fault_is_left_out(monkeypatch):
    said = []
    monkeypatch.setattr(run, "may_mount", lambda: False)
    assert not run._wants_small_disks(3, (), said.append)
    assert not run._wants_small_disks(1, ("F9",), said.append)
    assert len(said) == 2
    assert said[0].startswith("F9 is left out")


def test_one_seed_in_three_has_small_disks_and_whoever_asks_for_full_ones(monkeypatch):
    monkeypatch.setattr(run, "may_mount", lambda: True)
    assert [run._wants_small_disks(seed, (), print) for seed in range(1, 7)] == [False, False, True, False, False, True]
    assert run._wants_small_disks(1, ("F9",), print)
    assert not run._wants_small_disks(3, ("F1",), print)
