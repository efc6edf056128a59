from tillstream import console
from tillstream.local import control
from tillstream.local.directory import DataDirectory
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir


def down(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Stop everything that runs from the data directory, in order; the data stays."""
    stopped = control.stop(DataDirectory(data_dir), console.say)
    if as_json:
        console.print_json({"stopped": stopped})
    else:
        console.say("stopped" if stopped else f"nothing was running from {data_dir}")
