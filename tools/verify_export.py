"""Checks an export of a Tillstream log (`till events export FILE`) without anything of Tillstream: Python and `cryptography` will do.

    python verify_export.py EXPORT.jsonl PUBLIC_KEY.pem [MORE.pem …]

Ends with 0 and says how far each log is signed, or with 1 and the first event that was altered, is missing, was added or reordered.
The formula is in docs/audit.md; nothing here is taken from the code that signs.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PARTS = ["source", "logposition", "subject", "sequence", "id", "type", "partitionkey"]
MORE = ["time", "recordedat", "correlationid", "causationid", "actor", "storeid", "traceparent"]
OURS = {*PARTS, *MORE, "specversion", "dataschema", "datacontenttype", "private", "chainhash", "data", "data_base64"}
SAID = ["source", "since", "since_hash", "since_public_hash", "position", "hash", "public_hash", "marks", "key_id"]
HEAD = re.compile(r"tillstream\.[a-z]+\.[A-Za-z]+LogSigned\.v1")


class Log:
    """What was found of one log. A problem is (0 for an event or 1 for a range, position, what is wrong)."""

    def __init__(self, keys):
        self.keys, self.announced, self.last = dict(keys), {}, 0
        self.found, self.heads, self.problems, self.chain = {}, [], [], bytes(32)

    def take(self, event, data):
        position, public = int(event["logposition"]), "private" not in event
        name = f"{event['subject']}@{event['sequence']} ({event['type']})"
        if position in self.found:
            self.problems.append((0, position, f"added: {name} stands where there is an event already"))
            return
        if position < self.last:
            self.problems.append((0, position, f"reordered: {name} stands behind the event of position {self.last}"))
        digest = event_hash(event, data)
        if position == self.last + 1 and hashlib.sha256(self.chain + digest).hexdigest() != event["chainhash"]:
            self.problems.append((0, position, f"altered: {name} does not give the hash that stands beside it"))
        self.found[position], self.chain = (digest, public, name), bytes.fromhex(event["chainhash"])
        self.last = max(self.last, position)
        if HEAD.fullmatch(event["type"]):
            head = json.loads(data)
            if reason := self.refusal(head, event["source"]):
                self.problems.append((0, position, f"altered: {name}, a signed head, {reason}"))
            else:
                self.heads.append(head)

    def refusal(self, head, source):
        events, own, key = head["position"] - head["since"], head["key_id"], self.keys.get(head["key_id"])
        when = datetime.fromisoformat(head["occurred_at"]).isoformat(timespec="microseconds").replace("+00:00", "Z")
        said = ["tillstream.log-signed.v1", *(str(head[name]) for name in SAID), head.get("next_key") or "", when]
        if head["source"] != source or not 0 < events <= head["position"]:
            return "speaks of something else"
        if len(head["marks"]) != 13 * events or key is None:
            return f"does not name its events, or is signed with key {own}, neither given nor announced"
        try:
            key.verify(bytes.fromhex(head["signature"]), "\n".join(said).encode())
        except (InvalidSignature, ValueError):
            return f"does not carry the signature of key {own}"
        if own in self.announced:  # the key that announced this one has been replaced
            self.keys.pop(self.announced.pop(own), None)
        if head.get("next_key") and key_id(raw := bytes.fromhex(head["next_key"])) not in self.keys:
            self.keys[key_id(raw)], self.announced[key_id(raw)] = Ed25519PublicKey.from_public_bytes(raw), own
        return None

    def first_problem(self):
        first, reached, found = min(self.found, default=1), (0, "00" * 32, "00" * 32), [*self.problems]
        gaps = (place for place in range(first, self.last) if place not in self.found)
        found += [(0, gap, "missing: there is no event at this position") for gap in [*gaps][:1]]
        for head in self.heads:
            since, to = head["since"], head["position"]
            every, public_ones = bytes.fromhex(head["since_hash"]), bytes.fromhex(head["since_public_hash"])
            for position in range(since + 1, to + 1):
                digest, public, name = self.found.get(position, (b"", True, ""))
                mark = head["marks"][13 * (position - since - 1) :][:13]
                if name and f"{'+' if public else '-'}{digest.hex()[:12]}" != mark:
                    found.append((0, position, f"altered: {name} is not what was signed"))
                every = hashlib.sha256(every + digest).digest()
                public_ones = hashlib.sha256(public_ones + digest).digest() if public else public_ones
            if first <= since + 1 and (every.hex(), public_ones.hex()) != (head["hash"], head["public_hash"]):
                found.append((1, since + 1, f"chain: something up to position {to} is not what was signed"))
            if (reached[0] or first == 1) and reached != (since, head["since_hash"], head["since_public_hash"]):
                found.append((1, reached[0] + 1, "chain: the next head goes on from somewhere else"))
            reached = (to, head["hash"], head["public_hash"])
        return min(found, default=None if self.heads else (1, 0, "nothing is signed"))


def event_hash(event, data):
    texts = ["tillstream.event.v1", *map(event.get, PARTS), "10"["private" in event], *map(event.get, MORE)]
    parts = [*(None if text is None else text.encode() for text in texts), data]
    return hashlib.sha256(b"".join(b"-," if part is None else b"%d:%b," % (len(part), part) for part in parts)).digest()


def read(line):
    """Take a line apart: the attributes, and the bytes behind `"data":` up to the last brace exactly as they stand there."""
    event, data = json.loads(line), line[line.find(b',"data":') + 8 : -1]
    shown = json.dumps({**event, "data": 0}, ensure_ascii=False, separators=(",", ":")).encode()[:-2] + data + b"}"
    _, owner, name, major = event["type"].split(".")
    schema = f"https://tillstream.dev/contracts/events/{owner}/{name}.{major}.json"
    said = (event["specversion"], event["datacontenttype"], event["dataschema"], event.get("private", True))
    if not event.keys() <= OURS or said != ("1.0", "application/json", schema, True):
        raise ValueError("it is not a line of an export")
    if "data_base64" in event and "data" not in event:
        return event, base64.b64decode(event["data_base64"], validate=True)
    if shown != line or json.loads(data) != event["data"]:
        raise ValueError("another program has written it anew")
    return event, data


def key_id(raw):
    return hashlib.sha256(raw).hexdigest()[:16]


def main(export, *key_files):
    given = [load_pem_public_key(Path(file).read_bytes()).public_bytes_raw() for file in key_files]
    keys = {key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in given}
    logs, last = {}, None
    with Path(export).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event, data = read(line.removesuffix(b"\n"))
                last = logs.setdefault(event["source"], Log(keys))
                last.take(event, data)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if last is None:
                    raise SystemExit(f"line {number} cannot be read: {error}") from error
                last.problems.append((0, last.last + 1, f"altered: line {number} cannot be read: {error}"))
                break
    problems = {source: log.first_problem() for source, log in logs.items()}
    for source, log in logs.items():
        wrong = problems[source]
        told = f"position {wrong[1]}: {wrong[2]}" if wrong else f"signed up to {log.heads[-1]['position']}"
        print(f"{source}: positions {min(log.found, default=1)} to {log.last}: {told}")
    return 1 if any(problems.values()) or not logs else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
