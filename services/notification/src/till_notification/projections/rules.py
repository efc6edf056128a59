"""The rules in force, as people look them up."""

from typing import Any

from psycopg.types.json import Jsonb

from till_events.notification import NotificationRulePublished
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

RULES = Table(
    "rules",
    {
        "rule_id": "text",
        "version": "integer NOT NULL",
        "happening": "text NOT NULL",
        "status": "text",
        "template_id": "text NOT NULL",
        "channels": "jsonb NOT NULL",
        "purpose": "text NOT NULL",
        "stale_after_minutes": "integer NOT NULL",
        "urgent": "boolean NOT NULL",
        "enabled": "boolean NOT NULL",
        "published_at": "timestamptz NOT NULL",
    },
    key=("rule_id",),
)


class Rules(Projection):
    """The newest version of each rule."""

    name = "rules"
    of = (NotificationRulePublished,)
    tables = (RULES,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(
            RULES,
            (
                (
                    event.rule_id,
                    event.version,
                    event.on,
                    event.status,
                    event.template_id,
                    Jsonb(list(event.channels)),
                    event.purpose,
                    event.stale_after_minutes,
                    event.urgent,
                    event.enabled,
                    event.occurred_at,
                )
                for event in (fact.event for fact in batch.of(NotificationRulePublished))
            ),
        )


async def rules_in_force(reads: Reads) -> list[dict[str, Any]]:
    """Return all rules, those that are switched off too."""
    return await reads.all(
        """
        SELECT rule_id, version, happening AS "on", status, template_id, channels, purpose, stale_after_minutes, urgent, enabled,
               published_at
        FROM rules.rules ORDER BY rule_id
        """
    )
