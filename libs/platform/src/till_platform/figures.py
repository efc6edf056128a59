"""Figures of the business that a service gives to whoever collects metrics: counted in its read models, never by name of anybody."""

from dataclasses import dataclass
from typing import LiteralString

from prometheus_client import Gauge


@dataclass(frozen=True, slots=True)
class Figure:
    """What a shop's people would ask for every few minutes. The query gives the gauge's labels, in their order, and last the value."""

    gauge: Gauge
    query: LiteralString
