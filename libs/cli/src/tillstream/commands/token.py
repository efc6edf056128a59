from typing import Annotated

from typer import Option

from tillstream import completing, console
from tillstream.local.directory import DataDirectory
from tillstream.local.issuer import Issuer, Role
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir


def token(
    role: Annotated[Role, Option(help="What its bearer may do.")],
    store: Annotated[
        list[str] | None,
        Option(
            help="A shop it reaches; repeat for more, leave out for all shops.",
            autocompletion=completing.ids("order", "store"),
        ),
    ] = None,
    subject: Annotated[str, Option(help="Who it is, as it will stand in the events.")] = "local",
    minutes: Annotated[int, Option(min=1, max=60 * 24 * 30, help="How long it is good for.")] = 60,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token for the APIs of this local stack, e.g. for curl -H "Authorization: Bearer $(till token --role manager)"."""
    directory = DataDirectory(data_dir)
    signed = Issuer(directory.issuer_key, directory.jwks).sign(role, store, subject, minutes)
    if as_json:
        console.print_json(
            {"token": signed, "role": role, "stores": store or "*", "subject": subject, "minutes": minutes}
        )
    else:
        console.out.print(signed, markup=False, highlight=False)
