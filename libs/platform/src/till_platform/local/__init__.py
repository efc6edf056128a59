"""The embedded stack: PostgreSQL, Valkey and Kafka on one machine, from Python packages alone, for trying things out and for tests."""

from till_platform.local.problem import LocalProblem
from till_platform.local.stack import LocalStack

__all__ = ["LocalProblem", "LocalStack"]
