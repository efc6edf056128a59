import ast
import re
from pathlib import Path

import pytest

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import declarations
from till_events.contract.asyncapi import asyncapi
from till_events.contract.schema import event_schema, schema_path
from till_events.contract.text import as_json, as_yaml

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "contracts"
PUBLIC = [declared for declared in declarations() if declared.public]


@pytest.mark.parametrize("declared", PUBLIC, ids=lambda declared: declared.type)
def test_the_schema_in_the_repository_is_what_the_code_says(declared, samples):
    file = CONTRACTS / schema_path(declared)
    assert file.read_text(encoding="utf-8") == as_json(event_schema(declared, samples)), "till contracts build"


def test_nothing_private_and_nothing_unknown_is_published():
    kept = {file.relative_to(CONTRACTS).as_posix() for file in (CONTRACTS / "events").rglob("*.json")}
    assert kept == {schema_path(declared) for declared in PUBLIC}


def test_the_asyncapi_document_in_the_repository_is_what_the_code_says(samples):
    text = (CONTRACTS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert text.partition("\n")[2] == as_yaml(asyncapi(declarations(), samples)), "till contracts build"


def test_every_convention_names_a_test_that_exists():
    named = re.findall(r"`([\w/.]+\.py)::(\w+)`", (CONTRACTS / "CONVENTIONS.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, test in named:
        module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_every_convention_is_held_by_a_test():
    text = (CONTRACTS / "CONVENTIONS.md").read_text(encoding="utf-8")
    conventions = re.split(r"^- ", text.partition("## Names")[2], flags=re.MULTILINE)[1:]
    assert len(conventions) > 15
    assert all("::test_" in convention for convention in conventions)
