import json
import time
import uuid
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from till_platform.local.files import write_atomically

ISSUER = "tillstream-local"
AUDIENCE = "tillstream"
ALGORITHM = "ES256"


class Role(StrEnum):
    """What somebody may do in a chain; cashiers and managers additionally reach only the shops named in their token."""

    CASHIER = "cashier"
    MANAGER = "manager"
    MARKETER = "marketer"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMIN = "admin"
    INTEGRATION = "integration"


class Issuer:
    """Signs who is at the till, for local use: the key is made on this machine and never leaves it.

    Elsewhere any OpenID Connect issuer takes this place; the services see only a key set and the claims.
    """

    def __init__(self, key_file: Path, jwks_file: Path) -> None:
        from joserfc.jwk import ECKey  # slow to load, and not needed by every command

        if not key_file.exists():
            made = ECKey.generate_key("P-256", auto_kid=True)
            write_atomically(key_file, json.dumps(made.as_dict(private=True)), mode=0o600)
        self._key = ECKey.import_key(json.loads(key_file.read_text()))
        key_set = {"keys": [self._key.as_dict(private=False, alg=ALGORITHM, use="sig")]}
        if not jwks_file.exists() or json.loads(jwks_file.read_text()) != key_set:
            write_atomically(jwks_file, json.dumps(key_set, indent=2))

    def sign(self, role: Role, stores: Sequence[str] | None, subject: str, minutes: int) -> str:
        """A bearer token for one person or program in one role, for some minutes from now; no stores means all of them."""
        from joserfc import jwt

        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + minutes * 60,
            "jti": str(uuid.uuid4()),
            "roles": [role.value],
            "stores": list(stores) if stores else "*",
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}, claims, self._key)
