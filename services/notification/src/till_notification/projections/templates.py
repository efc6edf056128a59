"""All wordings, in all their versions."""

from typing import Any

from till_events.notification import TemplatePublished
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

WORDINGS = Table(
    "wordings",
    {
        "template_id": "text",
        "channel": "text",
        "locale": "text",
        "version": "integer",
        "text": "text NOT NULL",
        "subject": "text",
        "published_at": "timestamptz NOT NULL",
    },
    key=("template_id", "channel", "locale", "version"),
)


class Templates(Projection):
    """What was ever said, by template, channel, language and version."""

    name = "templates"
    of = (TemplatePublished,)
    tables = (WORDINGS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.insert(
            WORDINGS,
            (
                (
                    event.template_id,
                    event.channel,
                    event.locale,
                    event.version,
                    event.text,
                    event.subject,
                    event.occurred_at,
                )
                for event in (fact.event for fact in batch.of(TemplatePublished))
            ),
        )


async def newest_wordings(reads: Reads) -> list[dict[str, Any]]:
    """Return the words in use, of every template."""
    return await reads.all(
        """
        SELECT DISTINCT ON (template_id, channel, locale) template_id, channel, locale, version, text, subject, published_at
        FROM templates.wordings ORDER BY template_id, channel, locale, version DESC
        """
    )


async def wordings_of(reads: Reads, template_id: str) -> list[dict[str, Any]]:
    """Return every version of one template, newest first."""
    return await reads.all(
        """
        SELECT template_id, channel, locale, version, text, subject, published_at
        FROM templates.wordings WHERE template_id = %s ORDER BY channel, locale, version DESC
        """,
        [template_id],
    )
