import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from till_platform.local.jars import Jar, ensure, kafka_jars
from till_platform.local.problem import LocalProblem

BYTES = b"the bytes this release was built with"
JAR = Jar("org.example", "broker", "1.0", hashlib.sha256(BYTES).hexdigest(), len(BYTES))


class Shelf:
    """Serves the same bytes for every jar and counts how often it was asked."""

    def __init__(self, content: bytes = BYTES, *, failures: int = 0) -> None:
        self.content = content
        self.asked = 0
        self.failures = failures

    def __call__(self, jar: Jar, into: Path, received: Callable[[int], None]) -> Path:
        self.asked += 1
        path = into / jar.filename
        half = len(self.content) // 2
        path.write_bytes(self.content[:half])
        received(half)
        if self.asked <= self.failures:
            raise ConnectionError("the line was cut")
        path.write_bytes(self.content)
        received(len(self.content) - half)
        return path


def test_the_list_names_every_jar_once_with_its_hash_and_size() -> None:
    jars = kafka_jars()
    assert len(jars) == 46
    assert len({jar.filename for jar in jars}) == 46
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


def test_a_missing_jar_is_fetched_and_a_whole_one_is_not_fetched_again(tmp_path: Path) -> None:
    shelf = Shelf()
    assert ensure([JAR], tmp_path, source=shelf) == [tmp_path / JAR.filename]
    ensure([JAR], tmp_path, source=shelf)
    assert shelf.asked == 1
    assert (tmp_path / JAR.filename).read_bytes() == BYTES


@pytest.mark.parametrize("content", [BYTES[:10], b"x" * len(BYTES)], ids=["half a file", "other bytes"])
def test_a_cached_jar_with_other_bytes_is_fetched_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / JAR.filename).write_bytes(content)
    shelf = Shelf()
    ensure([JAR], tmp_path, source=shelf)
    assert shelf.asked == 1
    assert (tmp_path / JAR.filename).read_bytes() == BYTES


def test_a_jar_served_with_other_bytes_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LocalProblem, match=r"broker-1\.0\.jar was refused"):
        ensure([JAR], tmp_path, source=Shelf(b"y" * len(BYTES)))
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_is_cut_off_is_tried_again_and_the_progress_stays_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("till_platform.local.jars.PAUSE_SECONDS", 0)
    progress: list[tuple[int, int]] = []
    shelf = Shelf(failures=2)
    ensure([JAR], tmp_path, lambda done, total: progress.append((done, total)), source=shelf)
    assert shelf.asked == 3
    assert progress[-1] == (JAR.size, JAR.size)
    assert max(done for done, _ in progress) == JAR.size


def test_a_jar_that_cannot_be_had_is_one_line_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("till_platform.local.jars.PAUSE_SECONDS", 0)
    with pytest.raises(LocalProblem) as failure:
        ensure([JAR], tmp_path, source=Shelf(failures=99))
    assert "\n" not in str(failure.value)
    assert "broker-1.0.jar could not be downloaded (ConnectionError: the line was cut)" in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_taken_for_a_bad_connection(tmp_path: Path) -> None:
    def onto_a_full_disk(_jar: Jar, _into: Path, _received: Callable[[int], None]) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LocalProblem) as failure:
        ensure([JAR], tmp_path, source=onto_a_full_disk)
    assert failure.value.remedy == f"free some space in {tmp_path}, or name another folder: TILL_JAR_CACHE"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_download_left_behind_long_ago_is_swept_away(tmp_path: Path) -> None:
    old, young = tmp_path / ".partial-old", tmp_path / ".partial-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    ensure([], tmp_path, source=Shelf())
    assert not old.exists()
    assert young.exists()
