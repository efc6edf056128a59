"""Who is calling: a bearer token in, a role and the stores it reaches out. Nothing in a request's body is ever believed about that."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from till_platform.clock import Clock, SystemClock
from till_platform.domain import Forbidden
from till_platform.keys import Keys
from till_platform.settings import Settings, SettingsError

Role = Literal["cashier", "manager", "marketer", "analyst", "auditor", "admin", "integration"]
ROLES: frozenset[str] = frozenset(Role.__args__)  # type: ignore[attr-defined]  # a Literal has them, typeshed does not say so

_AT_THE_COUNTER: frozenset[str] = frozenset({"cashier", "manager"})
_ALGORITHMS: frozenset[str] = frozenset({"ES256", "EdDSA", "RS256"})
_HEADERS: frozenset[str] = frozenset({"alg", "kid", "typ"})
# An issuer's opaque id; `@` only as machine accounts have it. An e-mail address would end up as the actor of every event.
_SUBJECT = re.compile(r"[A-Za-z0-9._|:~/+=-]{1,128}(@clients)?")
_LEEWAY = 30
_LONGEST_TOKEN = 16 * 1024
_TRUSTED_FOR = 60
_REMEMBERED = 4096


class Unauthenticated(Exception):
    """The caller did not show who it is, or what it showed is worth nothing. The reason never quotes the token."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """A member of staff or a system, the roles it has, and the stores it may act in.

    `stores` is None for every store. `role` is the first of the roles its token lists.
    """

    subject: str
    role: str
    roles: frozenset[str]
    stores: frozenset[str] | None

    @property
    def actor(self) -> str:
        """How events name who did it, e.g. `cashier:17`."""
        return f"{self.role}:{self.subject}"

    def is_any(self, *roles: str) -> bool:
        """Whether the caller has at least one of these roles."""
        return not self.roles.isdisjoint(roles)

    def reaches(self, store_id: str) -> bool:
        """Whether the caller may act in this store."""
        return self.stores is None or store_id in self.stores

    def must_reach(self, store_id: str) -> None:
        """Refuse a caller who may not act in this store; raise `Forbidden`."""
        if not self.reaches(store_id):
            raise Forbidden(f"your token does not reach store {store_id}", store_id=store_id)

    def store_filter(self) -> list[str] | None:
        """Return the stores for `store_id = ANY(%s)`, or None where there is nothing to filter."""
        return None if self.stores is None else sorted(self.stores)


class Tokens:
    """Judges bearer tokens of one issuer for one audience. A token found good is not checked again for a minute."""

    def __init__(self, *, issuer: str, audience: str, keys: Keys, clock: Clock | None = None) -> None:
        self._keys = keys
        self._clock = clock or SystemClock()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        self._known: dict[bytes, tuple[Who, float]] = {}

    @classmethod
    def of(cls, settings: Settings, clock: Clock | None = None) -> "Tokens":
        """Return the judge of the issuer, audience and keys that the settings name; raise `SettingsError` if they name none."""
        if not settings.auth_issuer or not settings.auth_audience:
            raise SettingsError("TILL_AUTH_ISSUER and TILL_AUTH_AUDIENCE must be set: no token can be checked without")
        keys = Keys.of(settings, clock)
        return cls(issuer=settings.auth_issuer, audience=settings.auth_audience, keys=keys, clock=clock)

    async def who(self, token: str) -> Who:
        """Return who the token speaks for; raise `Unauthenticated`, or `KeysUnavailable` when nobody can tell."""
        now = self._clock.now().timestamp()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known and now < known[1]:
            return known[0]
        claims = await self._verified(token)
        who = _who(claims)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[digest] = (who, min(now + _TRUSTED_FOR, claims["exp"] + _LEEWAY))
        return who

    async def _verified(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("the token is too long")
        try:
            try:
                decoded = _decoded(token, await self._keys.current())
            except InvalidKeyIdError:
                decoded = _decoded(token, await self._keys.refreshed())
            self._claims.validate(decoded.claims)
            datetime.fromtimestamp(decoded.claims["exp"], tz=UTC)
        except JoseError as error:
            raise Unauthenticated(_REASONS.get(error.error, "the token is not one of our issuer's")) from None
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise Unauthenticated("the token is not a JSON web token") from None
        return decoded.claims


_REASONS = {
    "expired_token": "the token has expired",
    "missing_claim": "the token lacks a claim: iss, aud, sub, exp and iat are needed",
    "invalid_claim": "a claim of the token is not what it must be",
    "unsupported_algorithm": "the token is not signed with ES256, EdDSA or RS256",
    "bad_signature": "the token's signature is wrong",
}


class _Signatures(JWSRegistry):
    """Knows three algorithms, whatever a token asks for."""

    def get_alg(self, name: str) -> Any:
        if name not in _ALGORITHMS:
            raise UnsupportedAlgorithmError("not one of the allowed algorithms")
        return self.algorithms[name]


_SIGNATURES = _Signatures()


def _decoded(token: str, keys: KeySet) -> jwt.Token:
    decoded = jwt.decode(token, keys, registry=_SIGNATURES)
    # Keys are found by their id in our own key set and by nothing else: `jku`, `x5u`, `jwk` and `crit` have no business here.
    if not decoded.header.keys() <= _HEADERS or not isinstance(decoded.header.get("kid"), str):
        raise Unauthenticated("the token's header holds more or less than alg, kid and typ")
    return decoded


def _who(claims: Mapping[str, Any]) -> Who:
    subject = claims["sub"]
    if not _SUBJECT.fullmatch(subject):
        raise Unauthenticated("the token's sub must be an opaque id, not a name or an address")
    listed = _texts(claims.get("roles", []), "roles")
    roles = [role for role in listed if role in ROLES]
    return Who(
        subject=subject,
        role=roles[0] if roles else "none",
        roles=frozenset(roles),
        stores=_stores(claims, frozenset(roles)),
    )


def _stores(claims: Mapping[str, Any], roles: frozenset[str]) -> frozenset[str] | None:
    """Only those who work at a counter need their stores named; the head office reaches all unless the token says less."""
    stores = claims.get("stores")
    if stores == "*":
        return None
    if stores is None:
        return None if roles.isdisjoint(_AT_THE_COUNTER) else frozenset()
    return frozenset(_texts(stores, "stores"))


def _texts(value: Any, claim: str) -> Iterable[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise Unauthenticated(f"the token's {claim} must be a list of texts")
    return value
