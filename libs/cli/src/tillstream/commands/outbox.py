from dataclasses import asdict
from datetime import datetime
from typing import Annotated

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
    """Show the e-mails and SMS that customers would have received; in local mode they are caught, never sent. Times are UTC."""
    messages = Outbox(DataDirectory(data_dir).outbox).after(after)
    if as_json:
        console.print_json({"messages": [asdict(message) for message in messages]})
        return
    if not messages:
        console.say("nothing was sent yet")
        return
    for message in messages:
        moment = f"{datetime.fromisoformat(message.caught_at):%Y-%m-%d %H:%M:%S}"
        head = f"{message.id:>4}  {moment}  {message.channel:<5}  {message.recipient}"
        console.out.print(head, style="bold", markup=False, highlight=False)
        for line in (message.subject, *message.text.splitlines()):
            if line:
                console.out.print(f"      {line}", markup=False, highlight=False)
