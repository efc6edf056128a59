"""The auditor's own script, which has nothing of ours, says what `till audit verify --export` says."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tillstream.audit.places import check_export
from tillstream.exits import CommandFailed
from tillstream.exports.lines import UnreadableLine, from_line

from .books import KEY, NEXT_KEY, Book, forged

SCRIPT = Path(__file__).parents[4] / "tools" / "verify_export.py"
BOOK = Book().record(4).sign().record(5).sign(KEY, NEXT_KEY.public).record(3).sign(NEXT_KEY).record(2)


@pytest.fixture(scope="module")
def script():
    found = spec_from_file_location("verify_export", SCRIPT)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "audit.pub.pem"
    file.write_text(KEY.public.pem)
    return file


def trouble(verdict):
    if verdict.problem:
        return verdict.problem.position, verdict.problem.kind
    return None if verdict.heads else (0, "nothing")


@pytest.fixture
def both(script, key_file, tmp_path, capsys):
    """What both say of an export: whether it is sound, and the position of the first thing that is not."""

    def judge(lines):
        file = tmp_path / "export.jsonl"
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        verdicts = check_export(file, [KEY.public], None, lambda *_: None)
        capsys.readouterr()
        code = script.main(str(file), str(key_file))
        told = capsys.readouterr().out
        named = re.search(r"position (\d+): (\w+)", told)
        theirs = (int(named[1]), named[2]) if named else None
        ours = next(filter(None, map(trouble, verdicts)), None)  # an altered source makes a log of its own
        assert (code, theirs) == (int(ours is not None), ours), told
        return ours

    return judge


def test_it_imports_nothing_of_ours():
    imported = set(re.findall(r"^(?:from|import) (\w+)", SCRIPT.read_text(), re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert len(SCRIPT.read_text().splitlines()) < 150


def test_an_export_as_it_was_written_is_sound(both):
    assert both(BOOK.export) is None
    assert both(BOOK.export[7:]) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, len(BOOK.entries) - 1), st.data())
def test_any_byte_of_any_line_altered_is_found_and_named_by_both(both, number, data):
    lines = list(BOOK.export)
    at = data.draw(st.integers(0, len(lines[number]) - 1))
    new = data.draw(st.integers(32, 126).filter(lambda code: code != lines[number][at]))
    lines[number] = lines[number][:at] + bytes([new]) + lines[number][at + 1 :]
    found, kind = both(lines)
    assert found in {number + 1, number + 2} or kind in {"missing", "reordered", "nothing"}


def test_an_event_that_says_it_is_of_another_log_has_nobody_who_signed_it(both):
    strange = BOOK.export[-1].replace(b'"/tillstream/order"', b'"/tillstream/odder"')
    assert both([*BOOK.export[:-1], strange]) == (0, "nothing")


def test_lines_removed_doubled_and_swapped_are_named_by_both(both):
    lines = BOOK.export
    assert both([*lines[:4], *lines[5:]]) == (5, "missing")
    assert both([*lines[:4], lines[3], *lines[4:]]) == (4, "added")
    assert both([*lines[:4], lines[5], lines[4], *lines[6:]]) == (5, "reordered")


def test_a_careful_forger_is_found_by_both(both):
    forgery = Book()
    forgery.entries = forged(BOOK, 6, lambda entry: replace(entry, data=b'{"minor":0}'))
    assert both(forgery.export) == (6, "altered")


def test_a_file_that_does_not_begin_as_an_export_is_none(script, key_file, tmp_path):
    file = tmp_path / "other.jsonl"
    file.write_bytes(b"{}\n")
    with pytest.raises(CommandFailed, match="row 1"):
        check_export(file, [KEY.public], None, lambda *_: None)
    with pytest.raises(SystemExit, match="line 1"):
        script.main(str(file), str(key_file))


def test_an_export_written_anew_by_another_program_is_not_one(both):
    anew = [json.dumps(json.loads(line)).encode() for line in BOOK.export]
    assert both([*BOOK.export[:3], *anew[3:]]) == (4, "altered")
    for line in (b"", b"{}", b"[]", b"null", BOOK.export[0][:-5], BOOK.export[0][:-1] + b',"more":"1"}', b"\xff"):
        with pytest.raises(UnreadableLine):
            from_line(line)
        assert both([*BOOK.export[:3], line]) == (4, "altered")


def test_it_runs_by_itself_and_says_by_its_exit_code_what_it_found(tmp_path, key_file):
    file = tmp_path / "export.jsonl"
    for lines, code in ((BOOK.export, 0), (BOOK.export[:5] + BOOK.export[6:], 1)):
        file.write_bytes(b"\n".join(lines))
        done = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), str(file), str(key_file)], capture_output=True, check=False
        )
        assert done.returncode == code, done
