"""The issuer's public keys: from a file or one pinned address, kept, and fetched again when they change."""

import asyncio
import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from till_platform.clock import Clock, SystemClock
from till_platform.settings import Settings, SettingsError

_log = structlog.get_logger(__name__)
_FRESH_FOR = timedelta(minutes=10)
_AT_MOST_EVERY = timedelta(seconds=30)
_TIMEOUT = 5.0
_LARGEST = 256 * 1024


class KeysUnavailable(Exception):
    """Nobody can tell at the moment whether a token is good: the key set was never read and cannot be read now."""


class KeySource(ABC):
    """Where a key set is read from."""

    @abstractmethod
    def read(self) -> bytes:
        """Return the key set as JSON; may block."""


class KeyFile(KeySource):
    """A key set on disk, e.g. a mounted ConfigMap or the one of local mode."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        return self._path.read_bytes()


class KeyAddress(KeySource):
    """A key set at one address that the operator named. Redirects are not followed: a token or an answer must never choose the address."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            self._opener.add_handler(handler)

    def read(self) -> bytes:
        with self._opener.open(self._url, timeout=_TIMEOUT) as answer:
            body: bytes = answer.read(_LARGEST)
        return body


class Keys:
    """The key set in use. Read on first need, again every ten minutes, and for an unknown key id at most every 30 seconds."""

    def __init__(self, source: KeySource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        self._keys: KeySet | None = None
        self._tried_at: datetime | None = None
        self._read_at: datetime | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> "Keys":
        """Return the keys of the issuer that the settings name; raise `SettingsError` if they name none."""
        if settings.auth_jwks_file:
            return cls(KeyFile(settings.auth_jwks_file), clock)
        if not settings.auth_jwks_url:
            raise SettingsError(
                "TILL_AUTH_JWKS_URL or TILL_AUTH_JWKS_FILE must be set: no token can be checked without"
            )
        if settings.environment != "local" and not settings.auth_jwks_url.startswith("https://"):
            raise SettingsError("TILL_AUTH_JWKS_URL: outside local mode it must start with https://")
        return cls(KeyAddress(settings.auth_jwks_url), clock)

    async def current(self) -> KeySet:
        """Return the keys as last read; raise `KeysUnavailable` if they never could be."""
        now = self._clock.now()
        if self._keys is None or self._read_at is None or now - self._read_at > _FRESH_FOR:
            await self._read()
        if self._keys is None:
            raise KeysUnavailable("the issuer's key set cannot be read")
        return self._keys

    async def refreshed(self) -> KeySet:
        """Return the keys for a token whose key id is unknown: read again, unless that was tried a moment ago."""
        await self._read()
        return await self.current()

    async def _read(self) -> None:
        async with self._lock:
            now = self._clock.now()
            if self._tried_at is not None and now - self._tried_at < _AT_MOST_EVERY:
                return
            self._tried_at = now
            try:
                self._keys = _signing_keys(json.loads(await asyncio.to_thread(self._source.read)))
                self._read_at = now
            except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
                # The keys read before, if any, stay in use.
                _log.warning("key set not read", exc_info=error)


def _signing_keys(document: Any) -> KeySet:
    """Keep what may verify a signature: never a shared secret, never a key for encryption."""
    keys = [
        key for key in document["keys"] if key.get("kty") != "oct" and key.get("use", "sig") == "sig" and "kid" in key
    ]
    return KeySet.import_key_set({"keys": keys})
