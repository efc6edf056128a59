"""`python -m faultlab.lab`: one seed, or seeds until enough commands were acknowledged."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from faultlab.lab.controls import CONTROLS
from faultlab.lab.nemesis import FAULTS
from faultlab.lab.nightly import Night, nightly
from faultlab.lab.run import Outcome, run


def main() -> int:
    """Run what is asked for; exit with 1 if an invariant is broken."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="of trade under faults")
    parser.add_argument("--faults", default="", help=f"only these, with commas between: {','.join(FAULTS)}")
    parser.add_argument("--control", default="", choices=["", *CONTROLS], help="take a defence out")
    parser.add_argument(
        "--directory", type=Path, help="keep everything there; a new one that goes if nothing is broken, if not given"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON document")
    parser.add_argument("--nightly", type=Path, help="repeat seeds and append what they showed to this file")
    parser.add_argument("--until", type=int, default=1_000_000, help="so many commands acknowledged, with --nightly")
    parser.add_argument("--minutes", type=float, help="begin no other seed after so many, with --nightly")
    asked = parser.parse_args()
    only = tuple(filter(None, asked.faults.split(",")))
    if unknown := set(only) - set(FAULTS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    if asked.nightly:
        return nightly(Night(asked.nightly, asked.until, asked.minutes, asked.seconds, only), _tell)
    directory = asked.directory or Path(tempfile.mkdtemp(prefix="till-faults-"))
    outcome = asyncio.run(run(asked.seed, asked.seconds, only, directory, _tell, weakened=asked.control))
    if outcome.broken and not asked.control:
        _tell(f"what it left behind is in {directory}")
    elif asked.directory is None:
        shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(outcome.told()) if asked.json else words_of(outcome))  # noqa: T201 - the answer of a command
    return 1 if outcome.broken else 0


def words_of(outcome: Outcome) -> str:
    """Return what a run showed, for people."""
    faults = ", ".join(f"{number} x {name}" for name, number in sorted(outcome.faults.items())) or "none"
    kills = ", ".join(f"{number} x {service}" for service, number in outcome.kills.items() if number) or "none"
    lines = [
        f"seed {outcome.seed}: {outcome.events} events, {outcome.seconds:.0f} s",
        f"commands: {outcome.acknowledged} acknowledged, {outcome.lost} lost, {outcome.unknown} of unknown fate",
        f"effects doubled: {outcome.doubled}",
        f"faults: {faults}; kills: {kills}",
        f"zombie batches fenced: {outcome.fenced}; records delivered again: {outcome.delivered_again}, dropped: {outcome.dropped}",
        f"green after {', '.join(f'{one:.1f}' for one in outcome.green)} s",
    ]
    lines += [f"{name} is broken: {example}" for name, example in sorted(outcome.broken.items())]
    return "\n".join(lines)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main())
