"""B8: one customer makes 30 % of all payments, then all of them: ours against itself on customers that are all alike."""

from collections.abc import Iterator
from contextlib import contextmanager

from catch_up import EXACT, FULL, OUR_PROGRAM, Entry, contender
from contest import Claim, Contest
from payments import Story, topic_of

from till_platform.testing.infra import Infra

ALL, SOME, UNIFORM = "one key, all events", "one key, 30 % of events", "uniform keys"
STORIES = {
    ALL: Story(FULL, hot=1.0),
    SOME: Story(FULL, hot=0.3, zipf=0.0),
    UNIFORM: Story(FULL, zipf=0.0),
}


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    configuration = "the worker, all safeties on; TILL_MAX_BATCH=5000"
    entered = [
        contender(
            infra,
            Entry(name, EXACT, story.amount, OUR_PROGRAM, configuration),
            topic_of(infra.kafka, f"hot{round(story.hot * 100)}", story),
        )
        for name, story in STORIES.items()
    ]
    yield Contest(
        "catch-up with a hot key",
        "events/s",
        entered,
        [Claim(UNIFORM, 0.8), Claim(UNIFORM, 0.8, of=SOME)],
    )
