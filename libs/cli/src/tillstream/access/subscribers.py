"""Systems outside that read: let in, looked up, and let in no more."""

import secrets
from typing import Any

from till_platform.kafka.principals import Principal
from till_platform.kafka.topics import existing_topics
from till_platform.settings import KafkaSettings
from tillstream.access.administrator import administering
from tillstream.exits import CommandFailed, Exit


async def let_in(settings: KafkaSettings, principal: Principal, bytes_per_second: int, *, renew: bool) -> str:
    """Write a principal's rules and its limit, give it a new password and return that.

    Raises CommandFailed where a topic is not there, or where the name is taken and not to be renewed; nothing is changed then.
    """
    async with administering(settings) as administrator:
        if missing := sorted(set(principal.reads) - set(await existing_topics(settings))):
            raise CommandFailed(f"there is no topic {', '.join(missing)}", "till access services", Exit.NOT_FOUND)
        if not renew and principal.name in {*await administrator.users(), *await administrator.rules()}:
            raise CommandFailed(
                f"{principal.name} is let in already", "till access grant … --renew, or another name", Exit.CONFLICT
            )
        password = secrets.token_urlsafe(32)
        await administrator.allow(principal)
        await administrator.limit(principal.name, bytes_per_second)
        await administrator.give_password(principal.name, password)
        return password


async def let_out(settings: KafkaSettings, name: str) -> bool:
    """Take everything from a principal, and return whether it had anything."""
    async with administering(settings) as administrator:
        rules = (await administrator.rules()).get(name, set())
        await administrator.forbid(name, rules)
        if name in await administrator.limits():
            await administrator.limit(name, None)
        return await administrator.take_password(name) or bool(rules)


async def everybody(settings: KafkaSettings) -> list[dict[str, Any]]:
    """Return the principals of this installation and what Kafka lets them do."""
    async with administering(settings) as administrator:
        users, rules, limits = await administrator.users(), await administrator.rules(), await administrator.limits()
    found = []
    for name in sorted({*users, *rules}):
        if name.startswith(f"{settings.namespace}."):
            mine = sorted(rules.get(name, ()))
            topics = [rule for rule in mine if rule.resource == "topic"]
            found.append(
                {
                    "principal": name,
                    "writes": [rule.name for rule in topics if rule.operation == "WRITE"],
                    "reads": [rule.name for rule in topics if rule.operation == "READ"],
                    "groups": [rule.name + "*" * rule.prefixed for rule in mine if rule.resource == "group"],
                    "bytes_per_second": limits.get(name),
                    "password": name in users,
                }
            )
    return found
