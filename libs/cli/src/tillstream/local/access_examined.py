"""Whether Kafka lets each of our services do what it needs and no more, and nobody else write to our topics."""

from collections.abc import Iterator, Mapping

from till_platform.kafka.principals import Principal, Rule
from till_platform.settings import KafkaSettings
from tillstream.access.administrator import administering
from tillstream.access.services import principals_of_services
from tillstream.local.directory import DataDirectory
from tillstream.local.doors import Doors
from tillstream.local.finding import Finding


async def examine_access(kafka: KafkaSettings, directory: DataDirectory, *, closed: bool) -> Finding:
    """Where its doors are open Kafka must be where only this machine reaches it."""
    if not closed:
        alone = kafka.kafka.startswith(("127.", "localhost", "[::1]"))
        return Finding(
            "access to Kafka",
            ok=alone,
            detail=f"anybody who reaches {kafka.kafka} may read and write{', which only this machine can' if alone else ''}",
            remedy="a new data directory with: till up --secure",
        )
    async with administering(kafka) as administrator:
        users, rules = await administrator.users(), await administrator.rules()
    ours = {one.name: one for one in principals_of_services(kafka.namespace).values()}
    problems = [*_of_services(ours, users, rules), *_of_others(ours, rules)]
    mend = f"till access services --out {Doors(directory).secrets}"
    stranger = next((name for name in _writers(ours, rules) if name not in ours), None)
    return Finding(
        "access to Kafka",
        ok=not problems,
        detail="; ".join(problems)
        or f"doors closed, {len(rules)} have rules, our {len(ours)} services those they need",
        remedy=f"till access revoke {stranger.partition('.')[2]}" if stranger else f"{mend} (docs/access.md)",
    )


def _of_services(ours: Mapping[str, Principal], users: list[str], rules: Mapping[str, set[Rule]]) -> Iterator[str]:
    for name, principal in ours.items():
        has, needs = rules.get(name, set()), set(principal.rules)
        if name not in users:
            yield f"{name} has no password"
        if needs - has:
            yield f"{name} may not {', '.join(map(_told, sorted(needs - has)))}"
        if has - needs:
            yield f"{name} may {', '.join(map(_told, sorted(has - needs)))}, which it does not need"


def _of_others(ours: Mapping[str, Principal], rules: Mapping[str, set[Rule]]) -> Iterator[str]:
    for name, topics in _writers(ours, rules).items():
        if name not in ours:
            yield f"{name} may write {', '.join(topics)}"


def _writers(ours: Mapping[str, Principal], rules: Mapping[str, set[Rule]]) -> dict[str, list[str]]:
    """Return by principal the topics of ours that it may write."""
    topics = sorted(topic for one in ours.values() for topic in one.writes)
    found = {
        name: [topic for topic in topics if any(_writes(rule, topic) for rule in has)] for name, has in rules.items()
    }
    return {name: written for name, written in sorted(found.items()) if written}


def _writes(rule: Rule, topic: str) -> bool:
    named = topic.startswith(rule.name) if rule.prefixed else rule.name in {topic, "*"}
    return rule.resource == "topic" and rule.operation in {"WRITE", "ALL"} and named


def _told(rule: Rule) -> str:
    return f"{rule.operation.lower()} {rule.resource} {rule.name}{'*' * rule.prefixed}"
