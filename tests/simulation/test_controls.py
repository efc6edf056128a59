"""A simulator that cannot see what a defence is there for proves nothing: each is taken out, and something must break."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from faultlab.simulation.controls import CONTROLS, first_broken
from faultlab.simulation.installation import Defences
from faultlab.simulation.run import Scenario, run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
WITHIN = 500


@cache
def broken(number):
    return first_broken(CONTROLS[number], WITHIN)


@pytest.mark.parametrize("number", range(len(CONTROLS)), ids=[control.id for control in CONTROLS])
def test_control_without_a_defence_its_invariant_breaks(number):
    assert broken(number) is not None


@pytest.mark.parametrize("number", range(len(CONTROLS)), ids=[control.id for control in CONTROLS])
def test_with_the_defence_the_same_seed_and_faults_break_nothing(number):
    seed, _, _ = broken(number)
    without = CONTROLS[number].scenario
    with_it = replace(Scenario(), faults=without.faults, commands=without.commands, slow=without.slow)
    assert with_it.defences == Defences()
    assert run(seed, with_it).violations == {}


def test_the_page_names_every_control():
    said = [line.split(" | ")[:3] for line in PAGE.read_text().splitlines() if re.match(r"\| C\d+ \|", line)]
    wanted = [[f"| {control.id}", control.defence, control.instead] for control in CONTROLS]
    assert said == wanted
