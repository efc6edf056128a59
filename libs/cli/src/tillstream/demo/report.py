"""The demo's report for people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

_MONEY = "{:,.2f} USD"
TOLD = 12


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print what `run_demo` found out."""
    _history(report, console)
    _agreement(report, console)
    _customers(report, console)
    _one_customer(report["customer"], console)
    print_live_orders(report, console)
    _read_models(report, console)
    verdict = "everything agrees" if report["verified"] else f"NOT verified: {report['differences'][0]}"
    console.print(Panel(verdict, style="bold green" if report["verified"] else "bold red", expand=False))


def money(minor: int) -> str:
    """Return cents as dollars, for people."""
    return _MONEY.format(minor / 100)


def _history(report: dict[str, Any], console: Console) -> None:
    console.print(
        f"\n[bold]{report['receipts']:,} receipts[/] with {report['lines']:,} lines of {report['households']:,} households in"
        f" {report['stores']} stores, {money(report['sales_minor'])}, up to {report['last_day']}"
    )
    console.print(
        f"imported in {report['seconds_import']} s, taken by all five services after {report['seconds_caught_up']} s:"
        f" {report['events']:,} events, {report['events_per_second']:,} a second"
    )
    _table(
        console,
        "Events by topic",
        ("topic", "events"),
        ((name, f"{n:,}") for name, n in report["events_by_topic"].items()),
    )


def _agreement(report: dict[str, Any], console: Console) -> None:
    rows = [("the data", "polars on the parquet", money(report["sales_minor"]), f"{report['receipts']:,}")]
    rows += [(t["service"], t["of"], money(t["sales_minor"]), f"{t['receipts']:,}") for t in report["totals"]]
    _table(console, "The same sales, to the cent", ("who", "from", "sales", "receipts"), rows)


def _customers(report: dict[str, Any], console: Console) -> None:
    rows = ((c["place"], c["customer_id"], money(c["net_minor"]), c["receipts"]) for c in report["best_customers"])
    _table(console, "Ten best customers", ("", "customer", "spent", "receipts"), rows)
    groups = (
        (group["group"], group["customers"], money(group["monetary_minor"]))
        for group in report["rfm"]["rows"]
        if group["customers"]
    )
    _table(console, "Customers by recency, frequency and money", ("group", "customers", "spent"), groups)


def _one_customer(customer: dict[str, Any], console: Console) -> None:
    card = customer["card"]
    console.print(
        f"\n[bold]{customer['customer_id']}[/]: tier {customer['tier']}, group {customer['rfm_group']}, card {card['card_number']},"
        f" {card['balance']:,} points to spend, {card['pending']:,} pending"
    )
    lots = (
        (lot["points"], lot["remaining"], lot["available_from"][:10], lot["expires_at"][:10])
        for lot in customer["lots"]
    )
    _table(console, "Points by lot", ("earned", "left", "from", "until"), lots)
    print_timeline(customer["timeline"], console)


def print_timeline(entries: Sequence[dict[str, Any]], console: Console) -> None:
    """Print what happened to a customer, newest first; what is alike and follows each other once: `message.suppressed × 6`."""
    runs = [list(run) for _, run in groupby(entries, key=lambda entry: (entry["kind"], _what(entry)))]
    rows = (
        (
            run[0]["occurred_at"][:16].replace("T", " "),
            run[0]["kind"] + (f" × {len(run)}" if len(run) > 1 else ""),
            _what(run[0]),
        )
        for run in runs[:TOLD]
    )
    _table(console, "Timeline, newest first", ("when (UTC)", "what", ""), rows)


def _what(entry: dict[str, Any]) -> str:
    if entry["amount_minor"] is not None:
        return money(entry["amount_minor"])
    if entry["points"] is not None:
        return f"{entry['points']:+,} points"
    return ""


def print_live_orders(report: dict[str, Any], console: Console) -> None:
    """Print how the orders of today went, what was written to their customers, and an example of each outcome."""
    ways: dict[str, list[dict[str, Any]]] = {}
    for order in report["live_orders"]:
        ways.setdefault(" → ".join(order["statuses"]), []).append(order)
    rows = ((way, len(orders), *_outcomes(orders)) for way, orders in ways.items())
    title = "Orders of today by their way: how many messages were sent, wait for the morning, may not go"
    _table(console, title, ("way", "orders", "sent", "deferred", "suppressed"), rows)
    told = (row for order in _telling(report["live_orders"]) for row in _messages(order))
    _table(console, "Some of them (all: --json)", ("order", "consent", "message", "email", "sms"), told)
    counts = ((c["channel"], c["outcome"], c["reason"] or "", f"{c['messages']:,}") for c in report["messages"])
    _table(console, "All messages (history is stale and writes to nobody)", ("channel", "outcome", "why", ""), counts)


def _outcomes(orders: Sequence[dict[str, Any]]) -> list[int]:
    counts = Counter(message["outcome"] for order in orders for message in order["messages"])
    return [counts[outcome] for outcome in ("sent", "deferred", "suppressed")]


def _telling(orders: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the order with the most messages among those that wrote, those that wrote only later, and those that never may."""
    kinds: dict[str, dict[str, Any]] = {}
    for order in sorted(orders, key=lambda order: -len(order["messages"])):
        outcomes = {message["outcome"] for message in order["messages"]}
        kinds.setdefault(next((kind for kind in ("sent", "deferred") if kind in outcomes), "none"), order)
    return list(kinds.values())


def _consent(order: dict[str, Any]) -> str:
    return ", ".join(name for name, given in order["consent"].items() if given) or "none"


def _messages(order: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each message, with what became of it on either channel; the order is named in the first one."""
    templates: dict[str, dict[str, str]] = {}
    for message in reversed(order["messages"]):  # they come newest first
        templates.setdefault(message["template_id"], {})[message["channel"]] = _became(message)
    for number, (template, became) in enumerate(templates.items()):
        first = ("", "") if number else (order["number"], _consent(order))
        yield *first, template, became.get("email", ""), became.get("sms", "")


def _became(message: dict[str, Any]) -> str:
    until = f" until {message['deferred_until'][11:16]} UTC" if message["deferred_until"] else ""
    return f"{message['reason'] or message['outcome']}{until}"


def _read_models(report: dict[str, Any], console: Console) -> None:
    rows = (
        (p["service"], p["name"], _rows(p["digest"]), _short(p["digest"]), _short(p["rebuilt_digest"]), _verdict(p))
        for p in report["projections"]
    )
    columns = ("service", "name", "rows", "digest", "rebuilt", "")
    _table(console, "Read models, live against rebuilt from offset 0", columns, rows)
    console.print(f"dead letters: {report['dead_letters']}")


def _rows(digest: str) -> str:
    return f"{int(digest.split(':')[1]):,}"


def _short(digest: str) -> str:
    """Return what eyes can compare; `--json` has the digest whole, table by table."""
    return sha256(digest.encode()).hexdigest()[:12]


def _verdict(read_model: dict[str, Any]) -> str:
    return "equal" if read_model["digest"] == read_model["rebuilt_digest"] else "DIFFERENT"


def _table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
