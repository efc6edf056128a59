"""The page of metrics names every figure with its kind and labels, and none that nobody writes."""

import re
from importlib.metadata import entry_points
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from till_platform.telemetry.metrics import REGISTRY

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(till_\w+)` \| (\w+) \| (.+?) \| (.+?) \|", re.MULTILINE)
KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def told(page: str) -> dict[str, tuple[str, set[str]]]:
    """Return kind and labels of each figure that has a row; what is in brackets are values of a label."""
    return {
        name: (kind, set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", labels))))
        for name, kind, labels, _ in ROW.findall(page)
    }


def declared() -> dict[str, tuple[str, set[str]]]:
    for point in entry_points(group="tillstream.services"):
        point.load()()
    found = {}
    for collector in list(REGISTRY._collector_to_names):
        kind = KINDS.get(type(collector))
        if kind and collector._name.startswith("till_"):
            name = f"{collector._name}_total" if kind == "counter" else collector._name
            found[name] = (kind, set(collector._labelnames))
    return found


def test_every_figure_is_told_with_its_kind_and_labels_and_no_other_is():
    assert told(PAGE.read_text()) == declared()


def test_every_figure_has_a_unit():
    assert all(unit.strip() for *_, unit in ROW.findall(PAGE.read_text()))


def test_control_a_label_that_is_not_told_is_seen():
    page = PAGE.read_text().replace(
        "| `till_batch_seconds` | histogram | `consumer` |", "| `till_batch_seconds` | histogram | none |"
    )
    assert told(page) != declared()
