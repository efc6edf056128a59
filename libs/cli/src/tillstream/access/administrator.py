"""Whoever may say who may use Kafka for what: passwords, rules and limits, read from the broker and written to it."""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.admin import (
    CreateAclsRequest,
    DeleteAclsRequest,
    DescribeAclsRequest,
    DescribeClientQuotasRequest,
)

from till_platform.kafka.connection import connection_options
from till_platform.kafka.principals import Principal, Rule
from till_platform.kafka.refusals import explain
from till_platform.settings import KafkaSettings
from tillstream.access.requests import AlterClientQuotas, AlterUserScramCredentials, DescribeUserScramCredentials
from tillstream.exits import CommandFailed, Exit

ITERATIONS = 8_192
READ_LIMIT = "consumer_byte_rate"
_ANY, _MATCH, _ALLOW = 1, 2, 3
_RESOURCES = {"topic": 2, "group": 3}
_OPERATIONS = {"ALL": 2, "READ": 3, "WRITE": 4}
_LITERAL, _PREFIXED = 3, 4
_NO_SUCH_CREDENTIAL = 91


class Administrator:
    """Speaks for a principal that Kafka trusts with its rules. Everything may be said again: what is so already stays so."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def users(self) -> list[str]:
        """Return who has a password."""
        answer = await self._ask(DescribeUserScramCredentials())
        _check(answer.error_code, answer.error_message)
        return sorted(str(result[0]) for result in answer.results)

    async def give_password(self, user: str, password: str) -> None:
        """Let a user in by this password, and by no other it may have had."""
        salt = secrets.token_bytes(32)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        answer = await self._ask(AlterUserScramCredentials([], [(user, ITERATIONS, salt, salted)]))
        _check(*answer.results[0][1:3])

    async def take_password(self, user: str) -> bool:
        """Let a user in no more; return whether it could come in before. Connections that are open stay so until they end."""
        answer = await self._ask(AlterUserScramCredentials([user], []))
        code, message = answer.results[0][1:3]
        if code != _NO_SUCH_CREDENTIAL:
            _check(code, message)
        return bool(code == 0)

    async def allow(self, principal: Principal) -> None:
        """Make a principal's rules exactly what is said here."""
        now = (await self.rules()).get(principal.name, set())
        wanted = set(principal.rules)
        await self.permit(principal.name, wanted - now)
        await self.forbid(principal.name, now - wanted)

    async def permit(self, name: str, rules: Iterable[Rule]) -> None:
        """Add rules to those a principal has."""
        for rule in sorted(rules):
            answer = await self._ask(CreateAclsRequest(*_written(name, rule)))
            _check(*answer.creation_responses[0])

    async def forbid(self, name: str, rules: Iterable[Rule]) -> None:
        """Take some of a principal's rules away."""
        for rule in sorted(rules):
            answer = await self._ask(DeleteAclsRequest(*_written(name, rule)))
            _check(*answer.filter_responses[0][:2])

    async def rules(self) -> dict[str, set[Rule]]:
        """Return by principal what it may read and write."""
        answer = await self._ask(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
        _check(answer.error_code, answer.error_message)
        resources = {number: name for name, number in _RESOURCES.items()}
        operations = {number: name for name, number in _OPERATIONS.items()}
        found: defaultdict[str, set[Rule]] = defaultdict(set)
        for resource, name, pattern, rules in answer.resources:
            for principal, _, operation, permission in rules:
                if resource in resources and operation in operations and permission == _ALLOW:
                    rule = Rule(resources[resource], name, operations[operation], pattern == _PREFIXED)  # type: ignore[arg-type]  # the numbers are Kafka's
                    found[principal.removeprefix("User:")].add(rule)
        return dict(found)

    async def limit(self, user: str, bytes_per_second: int | None) -> None:
        """Let a user read no faster than this; None lifts the limit."""
        answer = await self._ask(AlterClientQuotas(user, {READ_LIMIT: bytes_per_second}))
        _check(*answer.entries[0][:2])

    async def limits(self) -> dict[str, int]:
        """Return by user how many bytes a second it may read."""
        answer = await self._ask(DescribeClientQuotasRequest([("user", _MATCH, None)], True))
        _check(answer.error_code, answer.error_message)
        return {
            entity[0][1]: int(value)
            for entity, values in answer.entries
            for key, value in values
            if key == READ_LIMIT and entity[0][1] is not None
        }

    async def _ask(self, request: Any) -> Any:
        return await self._client._send_request(request)  # noqa: SLF001 - aiokafka's own methods drop what Kafka answered


@asynccontextmanager
async def administering(settings: KafkaSettings) -> AsyncIterator[Administrator]:
    """Be Kafka's administrator for a while. Raises CommandFailed where Kafka does not let us."""
    client = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await client.start()
        yield Administrator(client)
    except KafkaConnectionError as error:
        raise CommandFailed(await explain(error, settings), "till doctor", Exit.UNAVAILABLE) from error
    except KafkaError as error:
        who = f"Kafka does not let {settings.kafka_user or 'us'} say who may do what"
        raise CommandFailed(f"{who}: {error}", "TILL_KAFKA_USER must be an administrator", Exit.FORBIDDEN) from error
    finally:
        await client.close()


def _written(name: str, rule: Rule) -> tuple[int, str, int, str, str, int, int]:
    pattern = _PREFIXED if rule.prefixed else _LITERAL
    return _RESOURCES[rule.resource], rule.name, pattern, f"User:{name}", "*", _OPERATIONS[rule.operation], _ALLOW


def _check(code: int, message: str | None) -> None:
    if code:
        raise for_code(code)(message or "")
