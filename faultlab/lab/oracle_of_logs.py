"""Of logs and topics, checkpoints and dead letters: what is written is what is published, and what is published is taken."""

from collections import Counter
from collections.abc import Iterator

from faultlab.lab.evidence import Evidence

Broken = Iterator[tuple[str, str]]


def logs(evidence: Evidence) -> Broken:
    """I2."""
    for service, log in evidence.logs.items():
        versions: Counter[str] = Counter()
        for number, row in enumerate(log, start=1):
            versions[row.stream] += 1
            if row.position != number:
                yield "I2", f"{service}: position {row.position} stands where {number} should"
                return
            if row.sequence != versions[row.stream]:
                yield "I2", f"{service} {row.stream}: version {row.sequence} stands where {versions[row.stream]} should"


def topics(evidence: Evidence) -> Broken:
    """I3."""
    rubbish = {value for _, value in evidence.rubbish}
    for service, topic in evidence.topics.items():
        log = {row.position: row for row in evidence.log(service)}
        reached: set[int] = set()
        for number, records in enumerate(topic):
            last = 0
            for record in records:
                if record.value in rubbish:
                    continue
                row = log.get(record.position)
                if row is None or (record.value, record.headers.get("ce_id")) != (row.data, row.id.encode()):
                    yield "I3", f"{service}/{number} holds at {record.offset} what was never recorded"
                    continue
                if record.position > last == int(record.headers["ce_prevposition"]):
                    last = record.position
                    reached.add(last)
        if missing := {row.position for row in log.values() if row.public} - reached:
            yield "I3", f"who reads the topic of {service} never comes to positions {sorted(missing)[:5]}"


def checkpoints(evidence: Evidence) -> Broken:
    """I8."""
    for service, places in evidence.checkpoints.items():
        for owner, number, offset, position in places:
            records = evidence.topics[owner][number]
            end = records[-1].offset + 1 if records else 0
            last = max((record.position for record in records), default=0)
            if position != last or (offset != end and owner not in evidence.wiped):
                yield "I8", f"{service} stands at {owner}/{number} {offset} ({position}), the end is {end} ({last})"
        for _, topic, number, from_offset, to_offset, from_position, to_position in evidence.went_back.get(service, ()):
            if to_position < from_position or topic.rpartition(".")[2] not in evidence.wiped:
                told = f"{from_offset} ({from_position}) to {to_offset} ({to_position})"
                yield "I8", f"{service} went back on {topic}/{number} from {told}"


def letters(evidence: Evidence) -> Broken:
    """I9."""
    rubbish = {value for _, value in evidence.rubbish}
    delivered = {(o, record.value) for o, topic in evidence.topics.items() for records in topic for record in records}
    for service, letters in evidence.letters.items():
        for letter in letters:
            if not letter.settled:
                yield (
                    "I9",
                    f"{service} has an open letter: {letter.reason} at {letter.topic}/{letter.partition}:{letter.offset}",
                )
            if letter.value not in rubbish and letter.reason != "waiting":
                yield "I9", f"{service} buried {letter.topic}/{letter.partition}:{letter.offset} as {letter.reason}"
        if evidence.parked.get(service):
            yield "I9", f"{service} has {evidence.parked[service]} parked keys"
        read = {owner for owner, *_ in evidence.checkpoints[service]}
        kept = {letter.value for letter in letters}
        for owner, value in evidence.rubbish:
            lies_there = (owner, value) in delivered and owner not in evidence.wiped
            if lies_there and owner in read and value not in kept:
                yield "I9", f"the rubbish {value!r} on the topic of {owner} is not among the letters of {service}"
