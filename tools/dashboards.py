"""Write deploy/observability/dashboards/*.json, and the alerts as the Prometheus operator takes them.

.venv/bin/python tools/dashboards.py

The boards are told in boards.py, the alerts in deploy/observability/alerts.yaml.
"""

import json
from pathlib import Path
from typing import Any

from boards import BOARDS, Panel

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "observability"
WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}
GOOD, WRONG = "green", "red"
RULE = """\
# Made of alerts.yaml by tools/dashboards.py.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tillstream
spec:
"""


def board(name: str, title: str, panels: list[Panel]) -> dict[str, Any]:
    """Return a board as Grafana imports it."""
    return {
        "uid": f"till-{name}",
        "title": f"Tillstream: {title}",
        "tags": ["tillstream"],
        "schemaVersion": 41,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _services()]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, **_scale(panel)}, "overrides": []},
        "options": {
            "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(panel.queries.items())
        ],
    }


def _scale(panel: Panel) -> dict[str, Any]:
    """Return what of the picture's height is always shown, and the line at which an alert speaks up."""
    shown = {"max": 1} if panel.unit in {"percentunit", "bool_on_off"} else {}
    if panel.floor is not None:
        steps = [{"color": WRONG, "value": None}, {"color": GOOD, "value": panel.floor}]
    else:
        shown |= {"min": 0}
        steps = [{"color": GOOD, "value": None}]
        steps += [{"color": WRONG, "value": panel.limit}] if panel.limit is not None else []
    drawn = {"custom": {"thresholdsStyle": {"mode": "dashed"}}} if len(steps) > 1 else {}
    return {**shown, "thresholds": {"mode": "absolute", "steps": steps}, **drawn}


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _services() -> dict[str, Any]:
    return {
        "name": "service",
        "label": "Service",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": 'label_values(up{job="till"}, service)', "refId": "services"},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def made() -> dict[str, str]:
    """Return what each file is to hold, by its place under deploy/observability."""
    found = {
        f"dashboards/{name}.json": json.dumps(board(name, title, panels), indent=2) + "\n"
        for name, (title, panels) in BOARDS.items()
    }
    groups = (FOLDER / "alerts.yaml").read_text().partition("groups:\n")[2]
    return {
        **found,
        "prometheus-rule.yaml": RULE
        + "".join(f"  {line}" for line in ["groups:\n", *groups.splitlines(keepends=True)]),
    }


if __name__ == "__main__":
    for file, content in made().items():
        (FOLDER / file).write_text(content)
