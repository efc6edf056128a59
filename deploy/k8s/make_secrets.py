#!/usr/bin/env python3
"""Prints the Secrets that only this installation knows, with random values: `python3 deploy/k8s/make_secrets.py | kubectl create -f -`.

`create` refuses those that are there, so running it again changes no password. What operators make (Strimzi: a password for each user)
is not among them.
"""

from __future__ import annotations

import json
import secrets
import sys

SERVICES = ("order", "customer", "loyalty", "notification", "analytics")


def main() -> None:
    namespace = sys.argv[1] if len(sys.argv) > 1 else "tillstream"
    found = [
        secret(f"{service}-database", namespace, "kubernetes.io/basic-auth", username=f"till_{service}")
        for service in SERVICES
    ]
    found.append(secret("tillstream-cursor", namespace, "Opaque"))
    json.dump({"apiVersion": "v1", "kind": "List", "items": found}, sys.stdout, indent=2)


def secret(name: str, namespace: str, kind: str, **known: str) -> dict[str, object]:
    key = "password" if known else "secret"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": {**known, key: secrets.token_urlsafe(32)},
    }


if __name__ == "__main__":
    main()
