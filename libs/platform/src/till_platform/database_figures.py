"""What PostgreSQL tells about the database of a service, to whom that service is: no right beyond its own is needed."""

from till_platform.figures import Figure
from till_platform.telemetry import metrics

_OF_STATISTICS = "FROM pg_stat_database WHERE datname = current_database()"

DATABASE_FIGURES = (
    Figure(
        metrics.DATABASE_BYTES,
        """
        SELECT 'log', pg_total_relation_size('log') AS value
        UNION ALL SELECT 'rest', pg_database_size(current_database()) - pg_total_relation_size('log')
        """,
    ),
    Figure(metrics.DATABASE_CONNECTIONS, f"SELECT numbackends AS value {_OF_STATISTICS}"),
    Figure(
        metrics.DATABASE_TRANSACTIONS,
        f"SELECT 'committed', xact_commit AS value {_OF_STATISTICS} UNION ALL SELECT 'rolled back', xact_rollback {_OF_STATISTICS}",
    ),
    Figure(
        metrics.DATABASE_BLOCKS,
        f"SELECT 'memory', blks_hit AS value {_OF_STATISTICS} UNION ALL SELECT 'disk', blks_read {_OF_STATISTICS}",
    ),
    Figure(metrics.DATABASE_DEADLOCKS, f"SELECT deadlocks AS value {_OF_STATISTICS}"),
    Figure(
        metrics.DATABASE_OLDEST_TRANSACTION,
        """
        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS value FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user
        """,
    ),
)
