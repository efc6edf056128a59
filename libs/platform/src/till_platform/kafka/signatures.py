"""Who published a record: Kafka does not tell its readers, so the owner signs what it publishes, and readers check it.

Up to 64 records share one Ed25519 signature: it is made over the root of a tree of their hashes, and each record carries it with the hashes
that lead from itself to the root. So each can be checked alone, wherever it is read, and the price is hashing. A hash covers topic,
partition, key, value and every other header: a genuine record that is moved or changed is not genuine.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from till_platform.settings import Settings, SettingsError

SIGNATURE = "ce_signature"
TOGETHER = 64
_ROOT, _KEY_ID, _SIGNED, _HASH = b"tillstream-records-1\0", 8, 64, 32
_LONGEST_PATH = (TOGETHER.bit_length() - 1) * _HASH
_REMEMBERED = 4_096

Header = tuple[str, bytes]
Place = tuple[str, int]


class Record(Protocol):
    """What is signed of a record."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Signer:
    """The owner's private key."""

    def __init__(self, pem: str) -> None:
        """Raise `ValueError` if this is no Ed25519 key in PEM."""
        key = load_pem_private_key(pem.encode(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the content is wrong, not its type
        self._key = key
        self._id = _id_of(key.public_key())

    @property
    def public(self) -> str:
        """The key that readers trust, as it stands in `TILL_TRUSTED_KEYS`."""
        return base64.b64encode(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def sign(self, records: Sequence[tuple[Place, Record]]) -> list[Header]:
        """Return for each record the header that proves who published it."""
        found: list[Header] = []
        for first in range(0, len(records), TOGETHER):
            leaves = [_leaf(place, record) for place, record in records[first : first + TOGETHER]]
            root, paths = _tree(leaves)
            proof = self._id + self._key.sign(_ROOT + root)
            found += [(SIGNATURE, base64.b64encode(proof + path)) for path in paths]
        return found


class Trust:
    """Whose keys we know. An owner may have several: a new one is trusted before it is used."""

    def __init__(self, keys: Mapping[str, Iterable[str]]) -> None:
        """Raise `ValueError` if one of them is no Ed25519 key, raw in base64."""
        self._keys: dict[tuple[str, bytes], Ed25519PublicKey] = {}
        for owner, known in keys.items():
            for text in known:
                key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
                self._keys[owner, _id_of(key)] = key
        self._good: set[tuple[str, bytes, bytes]] = set()

    @classmethod
    def of(cls, text: str) -> Self:
        """Read what `TILL_TRUSTED_KEYS` says: a JSON object with a list of keys for each service."""
        found = json.loads(text)
        if not isinstance(found, dict) or not all(isinstance(known, list) for known in found.values()):
            raise ValueError('must be a JSON object like {"order": ["<key>"], …}')
        return cls(found)

    def vouches_for(self, owner: str, place: Place, record: Record) -> bool:
        """Whether the owner itself published this record to this place."""
        signature = next((value for name, value in record.headers if name == SIGNATURE), b"")
        try:
            proof = base64.b64decode(signature, validate=True)
        except binascii.Error:
            return False
        signed, path = proof[: _KEY_ID + _SIGNED], proof[_KEY_ID + _SIGNED :]
        if len(path) % _HASH or len(path) > _LONGEST_PATH:
            return False
        root = _leaf(place, record)
        for start in range(0, len(path), _HASH):
            root = _above(root, path[start : start + _HASH])
        return self._signed(owner, signed, root)

    def _signed(self, owner: str, signed: bytes, root: bytes) -> bool:
        """Whether this root was signed. Records of one tree come together: one look-up at the curve serves them all."""
        if (owner, signed, root) in self._good:
            return True
        key = self._keys.get((owner, signed[:_KEY_ID]))
        if key is None:
            return False
        try:
            key.verify(signed[_KEY_ID:], _ROOT + root)
        except InvalidSignature:
            return False
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good.add((owner, signed, root))
        return True


def signer_of(settings: Settings) -> Signer | None:
    """Return the signer of a service that has a key; raise `SettingsError` if it is none."""
    if settings.signing_key is None:
        return None
    try:
        return Signer(settings.signing_key.get_secret_value())
    except (ValueError, TypeError) as error:
        raise SettingsError(f"TILL_SIGNING_KEY: {error}") from None


def trust_of(settings: Settings) -> Trust | None:
    """Return whom a service trusts, None if it leaves that to Kafka; raise `SettingsError` if that cannot be read."""
    if settings.trusted_keys is None:
        return None
    try:
        return Trust.of(settings.trusted_keys)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"TILL_TRUSTED_KEYS: {error}") from None


def new_signing_key() -> str:
    """Return a new private key in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _id_of(key: Ed25519PublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()[:_KEY_ID]


def _leaf(place: Place, record: Record) -> bytes:
    headers = [header for header in record.headers if header[0] != SIGNATURE]
    content = msgspec.msgpack.encode([*place, record.key, record.value, headers])
    return hashlib.sha256(b"\0" + content).digest()


def _above(one: bytes, other: bytes) -> bytes:
    """Two neighbours' hash, whichever of them is the left one."""
    return hashlib.sha256(b"\1" + (one + other if one < other else other + one)).digest()


def _tree(leaves: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return the root over some leaves, and for each the hashes on its way there. One without a neighbour goes up as it is."""
    level = list(leaves)
    paths = [b""] * len(leaves)
    places = list(range(len(leaves)))
    while len(level) > 1:
        for leaf, place in enumerate(places):
            if (neighbour := place ^ 1) < len(level):
                paths[leaf] += level[neighbour]
            places[leaf] = place // 2
        level = [_above(*level[at : at + 2]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)]
    return level[0], paths
