"""`python -m faultlab.simulation`: a seed with its timeline, many seeds, or the table of the controls."""

import argparse
import sys

from faultlab.simulation.controls import CONTROLS
from faultlab.simulation.many import many
from faultlab.simulation.run import Outcome, run


def main() -> int:
    """Run what is asked for; exit with 1 if an invariant is broken."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="run one seed and print its timeline")
    parser.add_argument("--seeds", type=int, default=1000, help="run so many seeds and print what they broke")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--control", choices=[control.id for control in CONTROLS], help="take a defence out")
    asked = parser.parse_args()
    control = next((control for control in CONTROLS if control.id == asked.control), None)
    if asked.seed is not None:
        outcome = run(asked.seed, control.scenario if control else None)
        print(*outcome.told(), sep="\n")  # noqa: T201 - the answer of a command
        return _tell(outcome)
    found = many(range(asked.first, asked.first + asked.seeds), control.id if control else None)
    print(found.told())  # noqa: T201
    return 1 if found.broken else 0


def _tell(outcome: Outcome) -> int:
    faults = ", ".join(f"{number} x {kind}" for kind, number in sorted(outcome.faults.items())) or "none"
    print(f"seed {outcome.seed}: {outcome.steps} steps, {outcome.seconds:.1f} virtual seconds; faults: {faults}")  # noqa: T201
    for invariant, example in sorted(outcome.violations.items()):
        print(f"{invariant} is broken {example}")  # noqa: T201
    return 1 if outcome.violations else 0


sys.exit(main())
