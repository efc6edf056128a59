"""Everything at once: logs, topics and read models of all services that run."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import psycopg

from tillstream import console
from tillstream.attached import Attached
from tillstream.exits import CommandFailed
from tillstream.standing import Standing, standing_at_rest
from tillstream.verification.differing import shown, told
from tillstream.verification.log_check import check_log
from tillstream.verification.rebuilding import Rebuilds
from tillstream.verification.topic_check import TopicCheck

AT_ONCE = 2
PATIENCE_SECONDS = 60.0
Tell = Callable[[str, int, int], None]
"""Told what is looked at, how much of it was, and how much there is."""

_UNSETTLED = "SELECT count(*) FROM dead_letter WHERE settled_at IS NULL"


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


def verify(
    attached: Attached,
    tell: Tell,
    services: Sequence[str] | None = None,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Report:
    """Check every log for gaps, every topic against its log byte for byte, every read model against its rebuild from offset 0.

    Waits first until everything is published and taken; a consumer that does not come along is a difference. Events may be recorded
    meanwhile: each check is of one moment.
    """
    chosen = attached.chosen(services)
    rebuilds = _Rebuilt(attached, tell, patience_seconds)
    report = Report(differences=_laggards(attached, chosen, tell, patience_seconds))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = [threads.submit(rebuilds.of, service) for service in chosen]
        for number, service in enumerate(chosen, 1):
            _check_log_and_topic(attached, service, report, patience_seconds)
            tell("logs, topics", number, len(chosen))
        for future in found:
            report.projections += future.result()
    for one in report.projections:
        if one["difference"]:
            one["difference"] = shown(one["difference"], unmask=False)
    report.differences += [told(one) for one in report.projections if one["digest"] != one["rebuilt_digest"]]
    return report


def _laggards(attached: Attached, services: Sequence[str], tell: Tell, patience_seconds: float) -> list[str]:
    def progress(standing: Standing) -> None:
        tell("catching up", standing.done, standing.done + standing.behind)

    return standing_at_rest(attached, services, patience_seconds=patience_seconds, tell=progress).laggards


def _check_log_and_topic(attached: Attached, service: str, report: Report, patience_seconds: float) -> None:
    with psycopg.connect(attached.database(service), autocommit=True) as connection:
        events, log_problem = check_log(connection)
        topic, topic_problem = _check_topic(attached, service, connection, patience_seconds)
        (letters,) = connection.execute(_UNSETTLED).fetchone() or (0,)
    report.logs.append(
        {
            "service": service,
            "events": events,
            "published": topic.found,
            "repeats": topic.repeats,
            "dead_letters": letters,
            "log": log_problem,
            "topic": topic_problem,
        }
    )
    for what, problem in (("the log", log_problem), ("the topic", topic_problem)):
        if problem:
            report.differences.append(f"{what} of {service}: {problem}")


def _check_topic(
    attached: Attached, service: str, connection: psycopg.Connection[Any], patience_seconds: float
) -> tuple[TopicCheck, str | None]:
    """Compare a topic with its log, and begin anew where Kafka goes away meanwhile."""
    deadline = time.monotonic() + patience_seconds
    for pause in itertools.chain((0.2, 0.5, 1.0), itertools.repeat(2.0)):
        topic = TopicCheck(service, attached.topic(service), connection)
        try:
            return topic, asyncio.run(topic.run(attached.kafka))
        except CommandFailed as failure:
            if time.monotonic() + pause > deadline:
                raise
            console.say(f"{failure.detail}; trying again in {pause} s")
            time.sleep(pause)
    raise AssertionError("the pauses never end")


class _Rebuilt:
    """Compares the read models of several services and tells how far they are together."""

    def __init__(self, attached: Attached, tell: Tell, patience_seconds: float) -> None:
        self._attached = attached
        self._tell = tell
        self._patience_seconds = min(patience_seconds, PATIENCE_SECONDS / 2)
        self._rebuilds = Rebuilds()
        self._lock = Lock()
        self._read: dict[str, tuple[int, int]] = {}

    def of(self, service: str) -> list[dict[str, Any]]:
        """Return name and both digests of each read model of a service."""
        return self._rebuilds.compare(
            service,
            self._attached.settings(service),
            lambda read, total: self._progress(service, read, total),
            console.say,
            patience_seconds=self._patience_seconds,
        )

    def _progress(self, service: str, read: int, total: int) -> None:
        with self._lock:
            self._read[service] = (read, total)
            read, total = (sum(numbers) for numbers in zip(*self._read.values(), strict=True))
            self._tell("read models", read, total)
