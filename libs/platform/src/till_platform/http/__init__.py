"""The HTTP kit: what a service's routes are written with."""

from till_platform.auth import Who
from till_platform.http.access import allow
from till_platform.http.app import create_app
from till_platform.http.cursors import Cursor, CursorDep, Page
from till_platform.http.deps import ClockDep, LogDep, PartsDep, ReadsDep, SettingsDep
from till_platform.http.headers import Version, etag, if_match, must_be, tag
from till_platform.http.idempotency import Once
from till_platform.http.ndjson import UnreadableLine, ndjson_in, ndjson_out
from till_platform.http.probes import Check, NotReady
from till_platform.http.problems import Problem, Refusal, problems
from till_platform.http.streaming import streamed
from till_platform.http.texts import refuse_nul

__all__ = [
    "Check",
    "ClockDep",
    "Cursor",
    "CursorDep",
    "LogDep",
    "NotReady",
    "Once",
    "Page",
    "PartsDep",
    "Problem",
    "ReadsDep",
    "Refusal",
    "SettingsDep",
    "UnreadableLine",
    "Version",
    "Who",
    "allow",
    "create_app",
    "etag",
    "if_match",
    "must_be",
    "ndjson_in",
    "ndjson_out",
    "problems",
    "refuse_nul",
    "streamed",
    "tag",
]
