import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.json import JSON

from tillstream import console
from tillstream.attached import Attached

if TYPE_CHECKING:
    from tillstream.events.past import Past
    from tillstream.events.recorded import Recorded


def show(
    found: "Sequence[Recorded]",
    attached: Attached,
    at: str,
    diff: str | None,
    by: str,
    *,
    unmask: bool,
    as_json: bool,
) -> None:
    """Show what the stream of these events added up to at a time, or what changed between two of them."""
    from tillstream.events.choice import Place, moment
    from tillstream.events.log_reader import find
    from tillstream.events.masking import Mask
    from tillstream.events.past import past

    first = found[0]
    events = find(attached, [first.service], Place(stream=first.envelope.subject))
    mask = None if unmask else Mask((event.envelope.type, event.data) for event in events)
    now = datetime.now(UTC)
    moments = sorted(now if text == "now" else moment(text, now) for text in (at, diff) if text)
    seen = [past(events, moment, by, mask) for moment in moments]
    if as_json:
        console.print_json_line(_difference(*seen) if diff else _document(seen[0]))
    elif diff:
        _print_difference(*seen)
    else:
        document = _document(seen[0])
        console.print_facts((name, value) for name, value in document.items() if name != "state")
        console.out.print(JSON(json.dumps(document["state"], ensure_ascii=False)))


def _document(seen: "Past") -> dict[str, Any]:
    last = seen.events[-1]
    return {
        "stream": last.envelope.subject,
        "kind": seen.kind,
        "service": last.service,
        "at": seen.at.isoformat(),
        "by": seen.by,
        "version": seen.version,
        "events": len(seen.events),
        "last_event": f"{last.name}, recorded at {last.envelope.recorded_at.isoformat()}",
        "state": seen.state,
    }


def _difference(before: "Past", after: "Past") -> dict[str, Any]:
    from tillstream.events.state import changes

    between = [
        {"sequence": event.envelope.sequence, "type": event.envelope.type, "recorded_at": event.envelope.recorded_at}
        for event in _between(before, after)
    ]
    ends = {
        name: {key: value for key, value in _document(seen).items() if key in {"at", "version", "events"}}
        for name, seen in (("before", before), ("after", after))
    }
    return {
        "stream": after.events[-1].envelope.subject,
        "kind": after.kind,
        "by": after.by,
        **ends,
        "changes": [asdict(change) for change in changes(before.state, after.state)],
        "because_of": between,
    }


def _between(before: "Past", after: "Past") -> "Iterator[Recorded]":
    known = {event.envelope.sequence for event in before.events}
    return (event for event in after.events if event.envelope.sequence not in known)


def _print_difference(before: "Past", after: "Past") -> None:
    from tillstream.events.telling import line, shown

    told = _difference(before, after)
    stream = told["stream"]
    console.out.print(
        f"{stream} from version {before.version} ({before.at:%Y-%m-%d %H:%M:%S}) to {after.version} ({after.at:%Y-%m-%d %H:%M:%S})",
        highlight=False,
    )
    for change in told["changes"]:
        values = " → ".join(json.dumps(change[name], ensure_ascii=False, default=str) for name in ("before", "after"))
        console.out.print(f"  {change['path']}: {values}", markup=False, highlight=False)
    if not told["changes"]:
        console.out.print("  nothing changed", highlight=False)
    for event in _between(before, after):
        console.out.print(line(shown(event, unmask=False)))
