"""Everything at once: logs, topics and read models of all services that run."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tillstream.attached import Attached
from tillstream.verification.log_check import check_log
from tillstream.verification.topic_check import check_topic

AT_ONCE = 2
Tell = Callable[[str, int, int], None]


@dataclass
class Report:
    """What was found. `differences` are sentences, the first one found first; none means that everything is as it must be."""

    logs: list[dict[str, Any]] = field(default_factory=list)
    projections: list[dict[str, Any]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether everything is as it must be."""
        return not self.differences


def verify(attached: Attached, tell: Tell) -> Report:
    """Check every log for gaps, every topic against its log byte for byte, every read model against its rebuild from offset 0."""
    report = Report()
    services = attached.services
    for number, service in enumerate(services, 1):
        _check_log_and_topic(attached, service, report)
        tell("logs, topics", number, len(services))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for number, found in enumerate(threads.map(lambda service: _compare(attached, service), services), 1):
            report.projections += found
            report.differences += [
                f"read model {one['name']} of {one['service']} is {one['digest']}, rebuilt it is {one['rebuilt_digest']}"
                for one in found
                if one["digest"] != one["rebuilt_digest"]
            ]
            tell("read models", number, len(services))
    return report


def _check_log_and_topic(attached: Attached, service: str, report: Report) -> None:
    dsn = attached.state.databases[service]
    events, log_problem = check_log(dsn)
    published, repeats, topic_problem = asyncio.run(check_topic(service, dsn, attached.state.kafka))
    report.logs.append({"service": service, "events": events, "published": published, "repeats": repeats})
    for what, problem in (("the log", log_problem), ("the topic", topic_problem)):
        if problem:
            report.differences.append(f"{what} of {service}: {problem}")


def _compare(attached: Attached, service: str) -> list[dict[str, Any]]:
    _, printed = attached.run(service, "verify")
    return [
        {name: found[name] for name in ("service", "name", "digest", "rebuilt_digest")}
        for found in map(json.loads, printed.splitlines())
    ]
