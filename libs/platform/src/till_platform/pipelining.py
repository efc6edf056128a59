"""Statements sent one after the other, their answers read together: where little is written, the way there and back is most of the time.

In a pipeline there is no COPY and no reading row by row. What a statement raises is raised when an answer is read, or at the end.
"""

from typing import Any

from psycopg import Connection
from psycopg.pq import PipelineStatus


def in_pipeline(connection: Connection[Any]) -> bool:
    """Whether what is executed now is sent without waiting for its answer."""
    return connection.pgconn.pipeline_status != PipelineStatus.OFF
