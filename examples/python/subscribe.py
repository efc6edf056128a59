"""Follow a topic of Tillstream from any offset, hold each event against its published schema, and go on where the last run ended.

    pip install -r requirements.txt
    python subscribe.py --kafka localhost:9092 --topic till.order --schemas contracts/events --positions positions.json

One line of JSON for each event. The positions are ours, kept in a file: no consumer group is joined, nothing is committed to Kafka.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from jsonschema import Draft202012Validator, ValidationError


class Schemas:
    """The published schemas, each read once. `dataschema` of an event ends in `<service>/<Event>.v<major>.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Draft202012Validator | None] = {}

    def of(self, dataschema: str) -> Draft202012Validator | None:
        """Return the schema, or None for an event published after our copy of the contracts was made."""
        if dataschema not in self._read:
            file = self._folder.joinpath(*dataschema.split("/")[-2:])
            self._read[dataschema] = Draft202012Validator(json.loads(file.read_text())) if file.exists() else None
        return self._read[dataschema]


def partitions(consumer: Consumer, topic: str, offsets: dict[str, int], start: int) -> list[TopicPartition]:
    """Return every partition at the offset we want next."""
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    return [TopicPartition(topic, number, offsets.get(str(number), start)) for number in sorted(known)]


def messages(consumer: Consumer, places: list[TopicPartition], *, until_end: bool) -> Iterator[Message]:
    """Yield records as they come; with `until_end` only those that are there now."""
    left = {}
    for place in places:
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        if place.offset < end:
            left[place.partition] = end
    consumer.assign(places)
    while left or not until_end:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        yield message
        if message.offset() + 1 >= left.get(message.partition(), 0):
            left.pop(message.partition(), None)


def handle(message: Message, schemas: Schemas) -> None:
    """Print one event. Raises ValidationError if it is not what its schema says."""
    record = KafkaMessage(headers=dict(message.headers()), key=message.key(), value=message.value())
    event = from_binary(record, JSONFormat())
    attributes = event.get_attributes()
    schema = schemas.of(attributes["dataschema"])
    if schema is None:
        print(f"skipped: no schema of {event.get_type()}", file=sys.stderr)
        return
    data = event.get_data()
    schema.validate(data)
    place = {"partition": message.partition(), "offset": message.offset()}
    print(
        json.dumps(
            {**place, "id": event.get_id(), "type": event.get_type(), "subject": event.get_subject(), "data": data}
        )
    )


def main() -> int:
    """Return 1 at the first event that is not what its schema says; its position is then not taken."""
    options = argparse.ArgumentParser(description="Follow a topic of Tillstream.")
    options.add_argument("--kafka", required=True)
    options.add_argument("--topic", required=True)
    options.add_argument("--schemas", required=True, type=Path)
    options.add_argument("--positions", required=True, type=Path)
    options.add_argument(
        "--from", dest="start", type=int, default=0, help="offset to begin at where no position is kept"
    )
    options.add_argument("--until-end", action="store_true", help="leave when everything that is there now was read")
    given = options.parse_args()

    offsets = json.loads(given.positions.read_text()) if given.positions.exists() else {}
    schemas = Schemas(given.schemas)
    # librdkafka wants a group's name even from those who join none. A position that Kafka no longer has is an error, not a jump.
    consumer = Consumer(
        {
            "bootstrap.servers": given.kafka,
            "group.id": "none",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    try:
        places = partitions(consumer, given.topic, offsets, given.start)
        for message in messages(consumer, places, until_end=given.until_end):
            try:
                handle(message, schemas)
            except ValidationError as error:
                where = f"{message.partition()}/{message.offset()}"
                print(f"{where} is not what its schema says: {error.validator} at {error.json_path}", file=sys.stderr)
                return 1
            offsets[str(message.partition())] = message.offset() + 1
            written = given.positions.with_suffix(".new")
            written.write_text(json.dumps(offsets))
            written.replace(given.positions)  # whole or not at all, whenever we are killed
    finally:
        consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
