"""The page of settings names every variable with its default, and none that nobody reads."""

import re
from datetime import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from till_platform.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
ROW = re.compile(r"^\| `TILL_(\w+)` \| (.+?) \|", re.MULTILINE)
SERVICES = {point.name: point.load()().settings for point in entry_points(group="tillstream.services")}
SECTIONS = {"Every service": Settings} | {name: own for name, own in SERVICES.items() if own is not Settings}
GIVEN_BY_THE_PROGRAM = {"service"}


def told(section: str) -> dict[str, str]:
    """Return the variables of one section of the page, with the defaults it tells."""
    body = PAGE.read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return {name.lower(): default.strip("`") for name, default in ROW.findall(body)}


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return "none" if value in (None, "") else str(value)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_variable_is_told_with_its_default_and_no_other_is(section):
    known = {
        name: default(field)
        for name, field in SECTIONS[section].model_fields.items()
        if name not in GIVEN_BY_THE_PROGRAM and (section == "Every service" or name not in Settings.model_fields)
    }
    assert told(section) == known


def test_control_a_service_without_settings_of_its_own_has_no_section():
    without = [name for name, own in SERVICES.items() if own is Settings]
    assert not [name for name in without if f"\n## {name}\n" in PAGE.read_text()]


def test_every_variable_that_papers_speak_of_is_on_the_page():
    known = set(re.findall(r"TILL_[A-Z_]+[A-Z]", PAGE.read_text()))
    papers = [*PAGE.parent.parent.glob("*.md"), *PAGE.parent.rglob("*.md")]
    spoken_of = {name for path in papers for name in re.findall(r"\bTILL_[A-Z_]+[A-Z]", path.read_text())}
    assert spoken_of <= known
