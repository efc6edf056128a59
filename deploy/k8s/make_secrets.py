#!/usr/bin/env python3
"""Prints the Secrets that only this installation knows, with random values: `python3 deploy/k8s/make_secrets.py | kubectl create -f -`.

`create` refuses those that are there, so running it again changes no password. What operators make (Strimzi: a password for each user)
is not among them.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys

SERVICES = ("order", "customer", "loyalty", "notification", "analytics")


def main() -> None:
    namespace = sys.argv[1] if len(sys.argv) > 1 else "tillstream"
    found = [
        secret(
            f"{service}-database",
            namespace,
            "kubernetes.io/basic-auth",
            {"username": f"till_{service}", "password": secrets.token_urlsafe(32)},
        )
        for service in SERVICES
    ]
    found += [secret(f"{service}-audit", namespace, "Opaque", {"key.pem": signing_key()}) for service in SERVICES]
    found.append(secret("tillstream-cursor", namespace, "Opaque", {"secret": secrets.token_urlsafe(32)}))
    json.dump({"apiVersion": "v1", "kind": "List", "items": found}, sys.stdout, indent=2)


def secret(name: str, namespace: str, kind: str, values: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": values,
    }


def signing_key() -> str:
    """Return an Ed25519 private key in PEM: the 32 random bytes behind the fixed beginning that RFC 8410 gives such a key."""
    written = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + secrets.token_bytes(32)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{written}\n-----END PRIVATE KEY-----\n"


if __name__ == "__main__":
    main()
