"""Contracts as text, the same for the same contract: what is kept in files and compared line by line."""

import json
from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    """YAML as people write it, where every part is spelt out in its place."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def as_json(document: Any) -> str:
    """Return indented JSON with the letters of every script as they are."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def as_yaml(document: Any) -> str:
    """Return YAML in the order of the document."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
