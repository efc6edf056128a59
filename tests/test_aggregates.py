"""Whatever a service decides about is named in its wiring: so that it can be put together as it was at any time."""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages

import pytest

from till_platform.domain import Aggregate

SERVICES = {entry.name: entry for entry in entry_points(group="tillstream.services")}


def below(cls: type[Aggregate]) -> Iterator[type[Aggregate]]:
    for found in cls.__subclasses__():
        yield found
        yield from below(found)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_aggregate_is_named_in_the_wiring(name):
    package = f"till_{name}"
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        import_module(module.name)
    there = {cls for cls in below(Aggregate) if cls.__module__.startswith(f"{package}.")}
    assert set(SERVICES[name].load()().aggregates) == there != set()


def test_no_two_services_call_their_aggregates_the_same():
    kinds = [cls.kind for entry in SERVICES.values() for cls in entry.load()().aggregates]
    assert len(kinds) == len(set(kinds))
