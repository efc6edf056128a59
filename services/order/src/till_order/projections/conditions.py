"""Putting together the conditions of a list."""

from collections.abc import Mapping
from typing import Any


def matching(conditions: Mapping[str, Any]) -> str:
    """Return those SQL conditions for which there is a value, joined.

    Only what is asked for is in the query, so that PostgreSQL can plan for just that; a condition on "any or this" would cost it the index.
    """
    return " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
