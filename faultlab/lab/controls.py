"""Defences taken out of real processes: an instance is told to run this first, and production code is as it is everywhere else.

Each must break an invariant, or the lab could not see what the defence is there for.
"""

from collections.abc import Callable

from faultlab.no_repeats import NoRepeats
from till_platform import process
from till_platform.projections import rebuild
from till_platform.worker import cursor


def without_compare_and_set() -> None:
    """C2: the checkpoint moves wherever it stands, so that a zombie writes."""
    weakened = cursor._ADVANCE.replace(" AND checkpoint.next_offset = step.expected", "").replace(
        "AND checkpoint.next_offset = step.expected", ""
    )
    assert weakened.count("step.expected") == 0
    cursor._ADVANCE = weakened


def without_knowing_repeats() -> None:
    """C5: whatever comes is taken, and nothing is known by its place in the log."""
    for who_reads in (process, rebuild):
        vars(who_reads)["Reader"] = NoRepeats


CONTROLS: dict[str, Callable[[], None]] = {"C2": without_compare_and_set, "C5": without_knowing_repeats}
