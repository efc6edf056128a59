"""What must be true when all is at rest. Pure: it is given what was found and compares; it asks nobody and shares no code but the codec."""

from faultlab.lab.evidence import Evidence
from faultlab.lab.oracle_of_business import messages, points, read_models
from faultlab.lab.oracle_of_commands import commands, traces
from faultlab.lab.oracle_of_logs import checkpoints, letters, logs, topics

INVARIANTS = {
    "I1": "a command that was accepted is in the log once, one that was refused is not, and one of unknown fate at most once",
    "I2": "positions are gapless and in commit order, versions of a stream are 1 to n",
    "I3": "who reads the topic from its beginning finds every public event of the log in order, and nothing that was never recorded",
    "I4": "every purchase gave its points once, in order; balances are the sum of the ledger and never below zero",
    "I5": "read models are what the log folds to, and equal their rebuild",
    "I6": "every cancelled order led to one message that was sent, and the gateway has each message once",
    "I7": "what analytics says each store sold is what the receipts come to",
    "I8": "a checkpoint is behind the last record, and never moved back unless it was moved on purpose",
    "I9": "what was delivered was either taken or is in the dead letters, and parked keys are released",
    "I10": "one idempotency key has one answer, and another request under it is refused",
    "I13": "after healing everything comes to rest and is ready",
    "I14": "a command, its record on the topic and what others made of it are one trace",
}
"""The numbers are those of the design. I11 and I12 are not of this lab: nobody is erased here, and there is one tenant."""

_LONGEST = 500
"""Some rubbish is a megabyte."""
_CHECKS = (commands, logs, topics, points, read_models, messages, checkpoints, letters, traces)


def judge(evidence: Evidence) -> dict[str, str]:
    """Return the first counter-example of each invariant that is broken."""
    broken: dict[str, str] = {}
    for check in _CHECKS:
        for invariant, example in check(evidence):
            broken.setdefault(invariant, example)
    if evidence.unsettled:
        broken.setdefault("I13", evidence.unsettled)
    return {invariant: example[:_LONGEST] for invariant, example in broken.items()}
