"""When Kafka will not have us: which door is closed, in words that say where to look.

aiokafka gives one and the same "Unable to bootstrap" for a wrong password, a wrong authority and a broker that is not there.
"""

import asyncio
import ssl
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from till_platform.settings import KafkaSettings

DENIALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
KNOCK_SECONDS = 5.0
FRESH_SECONDS = 10.0


class Refused(ConnectionError):
    """Kafka does not let us in, or not do what we must. The message says what to look at."""


class Refusal:
    """What Kafka did not let us do lately. A client that is refused one thing may succeed with another between two tries."""

    def __init__(self) -> None:
        self._why = ""
        self._until = 0.0

    @property
    def why(self) -> str | None:
        """The last refusal, as long as it is fresh."""
        return self._why if time.monotonic() < self._until else None

    def note(self, why: str | None) -> None:
        """Keep a refusal for a while."""
        if why:
            self._why, self._until = why, time.monotonic() + FRESH_SECONDS

    def forget(self) -> None:
        """It is known that the refusal is over."""
        self._until = 0.0


def denial(error: BaseException) -> str | None:
    """Return what Kafka denies to us, if that is what the error says."""
    if not isinstance(error, DENIALS):
        return error.args[0] if isinstance(error, Refused) else None
    what = {TopicAuthorizationFailedError: "topic", GroupAuthorizationFailedError: "group"}.get(type(error), "cluster")
    named = ", ".join(sorted(_names(error.args))) or "not said which"
    return f"Kafka refuses us ({what}: {named}): `till access list` shows who may do what"


def hidden(consumer: AIOKafkaConsumer) -> str | None:
    """Return which topics of its subscription Kafka does not show to a consumer: aiokafka reads the others and says nothing."""
    unseen = sorted(topic for topic in consumer.subscription() if consumer.partitions_for_topic(topic) is None)
    return f"Kafka does not show us {', '.join(unseen)}: `till access list` shows who may do what" if unseen else None


async def explain(error: BaseException, settings: KafkaSettings) -> str:
    """Return why Kafka could not be reached, having knocked once more to tell a closed door from an empty house."""
    if not isinstance(error, KafkaConnectionError) or settings.kafka_protocol == "PLAINTEXT":
        told = f": {error}"[:300] if isinstance(error, KafkaError) else ""
        return denial(error) or f"{type(error).__name__}{told}"
    found = await _knock(settings)
    who = f"{settings.kafka_user or 'us'} at {settings.kafka}"
    return f"Kafka does not let in {who}: {found}. Look at TILL_KAFKA_USER and TILL_KAFKA_PASSWORD (or its _FILE) and at TILL_KAFKA_CA_FILE"


async def _knock(settings: KafkaSettings) -> str:
    host, _, port = settings.kafka.split(",")[0].rpartition(":")
    context = settings.kafka_security.get("ssl_context")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port), ssl=context), KNOCK_SECONDS)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not vouched for by the authorities we know ({error.verify_message})"
    except ssl.SSLError as error:
        return f"no TLS could be agreed on ({error.reason})"
    except (OSError, ValueError, TimeoutError):
        return "nobody answers there"
    writer.close()
    return "it answers, so user or password are wrong"


def _names(arguments: tuple[object, ...]) -> set[str]:
    found: set[str] = set()
    for argument in arguments:
        found |= (
            {str(one) for one in argument} if isinstance(argument, set | frozenset | list | tuple) else {str(argument)}
        )
    return found
