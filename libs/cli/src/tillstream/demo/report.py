"""The demo's report for people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

_MONEY = "{:,.2f} USD"


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print what `run_demo` found out."""
    _history(report, console)
    _agreement(report, console)
    _customers(report, console)
    _one_customer(report["customer"], console)
    _live_orders(report, console)
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
    timeline = ((entry["occurred_at"][:16], entry["kind"], _what(entry)) for entry in customer["timeline"])
    _table(console, "Timeline, newest first", ("when (UTC)", "what", ""), timeline)


def _what(entry: dict[str, Any]) -> str:
    if entry["amount_minor"] is not None:
        return money(entry["amount_minor"])
    if entry["points"] is not None:
        return f"{entry['points']:+,} points"
    return ""


def _live_orders(report: dict[str, Any], console: Console) -> None:
    rows = (
        (
            order["number"],
            " → ".join(order["statuses"]),
            "/".join(name for name, given in order["consent"].items() if given) or "none",
            _told(order["messages"]),
        )
        for order in report["live_orders"]
    )
    _table(console, "Orders of today and their messages", ("order", "way", "consent", "messages"), rows)
    counts = ((c["channel"], c["outcome"], c["reason"] or "", f"{c['messages']:,}") for c in report["messages"])
    _table(console, "All messages (history is stale and writes to nobody)", ("channel", "outcome", "why", ""), counts)


def _told(messages: Iterable[dict[str, Any]]) -> str:
    kinds = Counter((m["channel"], m["outcome"], m["reason"]) for m in messages)
    return ", ".join(
        f"{n} {channel} {reason or outcome}" for (channel, outcome, reason), n in sorted(kinds.items(), key=str)
    )


def _read_models(report: dict[str, Any], console: Console) -> None:
    rows = (
        (
            p["service"],
            p["name"],
            p["digest"].split(":")[1],
            "equal" if p["digest"] == p["rebuilt_digest"] else "DIFFERENT",
        )
        for p in report["projections"]
    )
    _table(console, "Read models, live against rebuilt from offset 0", ("service", "name", "rows", ""), rows)
    console.print(f"dead letters: {report['dead_letters']}")


def _table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table = Table(*columns, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
