"""Three requests of Kafka's protocol that aiokafka does not have: SCRAM credentials (KIP-554) and quotas (KIP-546).

confluent-kafka's administrator has the first two and lacks the third, at the price of a second client with 14 MB and settings of its own.
"""

from typing import Any, ClassVar

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Float64,
    Int8,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

SCRAM_SHA_512 = 2
_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)


class DescribeUserScramCredentialsResponse_v0(Response):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 50
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        (
            "results",
            CompactArray(
                ("user", _TEXT),
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("credential_infos", CompactArray(("mechanism", Int8), ("iterations", Int32), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeUserScramCredentialsRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 50
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeUserScramCredentialsResponse_v0
    SCHEMA = Schema(("users", CompactArray(("name", _TEXT), _TAGS)), _TAGS)


class DescribeUserScramCredentials(Request[DescribeUserScramCredentialsRequest_v0]):  # type: ignore[misc]  # untyped in aiokafka
    """Asks who has a password."""

    API_KEY: ClassVar[int] = 50

    def build(
        self, request_struct_class: type[DescribeUserScramCredentialsRequest_v0]
    ) -> DescribeUserScramCredentialsRequest_v0:
        return request_struct_class(None, {})


class AlterUserScramCredentialsResponse_v0(Response):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(("user", _TEXT), ("error_code", Int16), ("error_message", _TEXT), _TAGS),
        ),
        _TAGS,
    )


class AlterUserScramCredentialsRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = AlterUserScramCredentialsResponse_v0
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", _TEXT), ("mechanism", Int8), _TAGS)),
        (
            "upsertions",
            CompactArray(
                ("name", _TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class AlterUserScramCredentials(Request[AlterUserScramCredentialsRequest_v0]):  # type: ignore[misc]  # untyped in aiokafka
    """Gives users passwords and takes them away. The password itself is never sent, only what it is salted and hashed to."""

    API_KEY: ClassVar[int] = 51

    def __init__(self, deletions: list[str], upsertions: list[tuple[str, int, bytes, bytes]]) -> None:
        self._deletions = deletions
        self._upsertions = upsertions

    def build(
        self, request_struct_class: type[AlterUserScramCredentialsRequest_v0]
    ) -> AlterUserScramCredentialsRequest_v0:
        deletions: list[Any] = [(name, SCRAM_SHA_512, {}) for name in self._deletions]
        upsertions: list[Any] = [(name, SCRAM_SHA_512, *rest, {}) for name, *rest in self._upsertions]
        return request_struct_class(deletions, upsertions, {})


class AlterClientQuotasResponse_v0(Response):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
            ),
        ),
    )


class AlterClientQuotasRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801 -- untyped in aiokafka, and named as it names its own
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterClientQuotasResponse_v0
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterClientQuotas(Request[AlterClientQuotasRequest_v0]):  # type: ignore[misc]  # untyped in aiokafka
    """Limits what a user may do in a second; None lifts a limit."""

    API_KEY: ClassVar[int] = 49

    def __init__(self, user: str, limits: dict[str, float | None]) -> None:
        self._user = user
        self._limits = limits

    def build(self, request_struct_class: type[AlterClientQuotasRequest_v0]) -> AlterClientQuotasRequest_v0:
        steps: list[Any] = [(key, value or 0.0, value is None) for key, value in self._limits.items()]
        return request_struct_class([([("user", self._user)], steps)], False)
