import json
import time
from typing import Annotated

from typer import BadParameter, Option

from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress, relaying


def republish(
    topic: Annotated[
        str, Option(help="The topic, e.g. till.order, or its service.", autocompletion=completing.one_service)
    ],
    first: Annotated[int, Option("--from", min=1, help="The first position of the log to publish.")] = 1,
    last: Annotated[int | None, Option("--to", min=1, help="The last one; everything there is by default.")] = None,
    replace: Annotated[
        bool, Option("--replace", help="Delete first what is on the topic: for one that holds what nobody recorded.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Publish a log once more: for a topic that was wiped, lost its oldest records, or holds rubbish. Readers drop what they have taken.

    The service goes on meanwhile; what it records waits to be published until this is done. Stopped by Ctrl-C, the relay goes on with it.
    """
    if replace and (first != 1 or last is not None):
        raise BadParameter("what replaces a topic is the whole log", param_hint="--replace")
    attached = Attached(data_dir)
    service = _owner(attached, topic)
    bounds = ["--from", str(first), *(["--to", str(last)] if last is not None else [])]
    started = time.monotonic()
    with progress(as_json=as_json) as tell:
        arguments = ["republish", *bounds, *(["--replace"] if replace else [])]
        _, printed = attached.run(
            service, *arguments, on_stderr=relaying("republish", tell), expected=(0,), administrator=replace
        )
    done = json.loads(printed)
    events = done["to"] - done["from"] + 1
    if as_json:
        console.print_json({**done, "events": events, "replaced": replace})
        return
    console.out.print(
        f"positions {done['from']} to {done['to']} are on {done['topic']} once more, in {time.monotonic() - started:.1f} s",
        highlight=False,
    )


def _owner(attached: Attached, topic: str) -> str:
    for service in attached.services:
        if topic in {service, attached.topic(service)}:
            return service
    known = ", ".join(attached.topic(service) for service in attached.services)
    raise CommandFailed(f"no service that runs here publishes {topic}", f"there are: {known}", Exit.NOT_FOUND)
