"""Every link from one of our papers to another file, or to a heading in it, leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def papers() -> list[str]:
    """Return our own pages; what begins with a dot is somebody else's, such as packages that are installed."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(str(path) for path in found if not any(part.startswith(".") for part in path.parts))


def links(text: str) -> set[str]:
    """Return what is linked to within the repository."""
    found = {first or second for first, second in LINK.findall(CODE.sub("`code`", text))}
    return {link for link in found if not re.match(r"[a-z]+:", link)}


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(link: str, page: Path) -> bool:
    target, _, anchor = link.partition("#")
    file = page.parent / target if target else page
    return not file.exists() or (bool(anchor) and anchor not in anchors(file.read_text()))


@pytest.mark.parametrize("name", papers())
def test_every_link_of_a_page_leads_somewhere(name):
    page = ROOT / name
    assert [link for link in sorted(links(page.read_text())) if leads_nowhere(link, page)] == []


def test_control_a_link_that_leads_nowhere_is_seen():
    text = "# A page\n[one](README.md) [two](nowhere.md) [three](#a-page) [four](#no-such) [far](https://example.org)"
    found = links(text)
    assert found == {"README.md", "nowhere.md", "#a-page", "#no-such"}
    assert [link for link in ("README.md", "nowhere.md") if leads_nowhere(link, ROOT / "README.md")] == ["nowhere.md"]
    assert anchors(text) == {"a-page"}
