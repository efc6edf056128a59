"""The page that says which test keeps which promise names tests that exist."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "testing.md"
NAMED = re.compile(r"\[(test_\w+)\]\(([^)]+)\)")


def is_defined(name: str, where: str) -> bool:
    return re.search(rf"^\s*(async )?def {name}\(", (PAGE.parent / where).read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize(("name", "where"), sorted(set(NAMED.findall(PAGE.read_text()))))
def test_every_test_that_is_named_exists_where_it_is_said_to_be(name, where):
    assert is_defined(name, where)


def test_control_a_test_that_is_not_there_is_missed():
    assert not is_defined("test_of_nothing", "../tests/test_testing_page.py")
