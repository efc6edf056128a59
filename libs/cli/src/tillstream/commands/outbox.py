from dataclasses import asdict
from typing import Annotated

from rich.table import Table
from typer import Option

from tillstream import console
from tillstream.local.directory import DataDirectory
from tillstream.local.outbox import Outbox
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir


def outbox(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    after: Annotated[int, Option(help="Only messages after the one with this number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the e-mails and SMS that customers would have received; in local mode they are caught, never sent."""
    messages = Outbox(DataDirectory(data_dir).outbox).after(after)
    if as_json:
        console.print_json({"messages": [asdict(message) for message in messages]})
        return
    if not messages:
        console.say("nothing was sent yet")
        return
    table = Table("#", "caught", "channel", "to", "message", box=None)
    for message in messages:
        text = f"{message.subject}\n{message.text}" if message.subject else message.text
        table.add_row(str(message.id), message.caught_at, message.channel, message.recipient, text)
    console.out.print(table)
