#!/usr/bin/env python3
"""Makes what compose.yaml needs and git must not hold: `secrets/`, with random passwords, and `.env`. Run again, it changes nothing."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

SERVICES = ("order", "customer", "loyalty", "notification", "analytics")
DOTENV = """\
# Read by docker compose beside compose.yaml. What can stand here: docs/deploy-compose.md.
COMPOSE_PROJECT_NAME=tillstream

# Whose tokens are good. With the profile `auth` this is the Keycloak that comes along.
COMPOSE_PROFILES=auth
TILL_AUTH_ISSUER=http://localhost:8180/realms/tillstream
TILL_AUTH_AUDIENCE=tillstream
"""


def main() -> None:
    home = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent)
    folder = home / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = {f"pg_{service}": address(f"till_{service}") for service in SERVICES}
    wanted |= {f"audit_{service}": signing_key() for service in SERVICES}
    wanted |= {"pg_keycloak": address("keycloak")}
    wanted |= {
        name: secrets.token_hex(24)
        for name in ("postgres_password", "cursor_secret", "keycloak_password", "grafana_password")
    }
    made = [name for name, value in wanted.items() if write_new(folder / name, value)]
    if write_new(home / ".env", DOTENV):
        made.append(".env")
    print(f"made in {home}: {', '.join(made)}" if made else "everything is there already")


def address(name: str) -> str:
    return f"postgresql://{name}:{secrets.token_hex(24)}@postgres/{name}"


def signing_key() -> str:
    """Return an Ed25519 private key in PEM: the 32 random bytes behind the fixed beginning that RFC 8410 gives such a key."""
    written = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + secrets.token_bytes(32)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{written}\n-----END PRIVATE KEY-----\n"


def write_new(file: Path, text: str) -> bool:
    """The folder is closed to others; the files are not, for a container runs as a user this machine does not know."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        os.fchmod(handle, 0o644)
        opened.write(text)
    return True


if __name__ == "__main__":
    main()
