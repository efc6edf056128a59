"""Ed25519 keys, as `openssl genpkey -algorithm ed25519` makes them: the private one signs a log, the public one is all an auditor needs."""

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)


class NotAKey(ValueError):
    """The text is not an Ed25519 key in PEM, or not of the kind that is needed."""


class PublicKey:
    """The half of a key that everybody may have."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    @classmethod
    def of_pem(cls, text: str) -> "PublicKey":
        """Read it from PEM; of a private key its public half is taken. Raises `NotAKey`."""
        if "PRIVATE KEY" in text:
            return SigningKey(text).public
        try:
            found = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NotAKey("not an Ed25519 key in PEM") from error
        if not isinstance(found, Ed25519PublicKey):
            raise NotAKey("a key of another kind: Ed25519 is needed")
        return cls(found.public_bytes_raw())

    @property
    def id(self) -> str:
        """By which signed heads name the key: the first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def pem(self) -> str:
        """The key as every tool reads it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, signature: str, statement: bytes) -> bool:
        """Whether the signature (hexadecimal) is one of this key under the statement."""
        try:
            self._key.verify(bytes.fromhex(signature), statement)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """The half of a key that only the service may have. Raises `NotAKey` for a text that is none."""

    def __init__(self, pem: str) -> None:
        try:
            found = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise NotAKey("not an Ed25519 private key in PEM without a password") from error
        if not isinstance(found, Ed25519PrivateKey):
            raise NotAKey("a key of another kind: Ed25519 is needed")
        self._key = found
        self.public = PublicKey(found.public_key().public_bytes_raw())

    def sign(self, statement: bytes) -> str:
        """Return the signature under the statement, hexadecimal; the same statement always gives the same one."""
        return self._key.sign(statement).hex()


def new_key() -> str:
    """Return a fresh private key in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
