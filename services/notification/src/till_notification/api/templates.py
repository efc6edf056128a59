"""The words of messages."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from till_notification.api.access import Reader, Writer
from till_notification.commands.preview_template import PreviewTemplate, preview_template
from till_notification.commands.publish_template import PublishTemplate, publish_template
from till_notification.domain.template import Template, Words
from till_notification.domain.wording import UnsuitableWording
from till_notification.projections.templates import newest_wordings, wordings_of
from till_platform.domain import Invalid, NotFound
from till_platform.http import ClockDep, LogDep, Once, ReadsDep, problems

router = APIRouter(prefix="/v1/templates", tags=["templates"])


class WordingBody(BaseModel):
    """Words for one channel in one language. An e-mail has a subject, an SMS has none.

    Variables stand in double braces, e.g. `{{ number }}`; `{% if promised %}…{% endif %}` says something only when there is something.
    """

    model_config = ConfigDict(extra="forbid")

    channel: Literal["sms", "email"]
    locale: Annotated[str, Field(min_length=2, max_length=35, description="BCP 47, e.g. pl or ru-RU")]
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    subject: Annotated[str | None, Field(max_length=1_000)] = None


class TemplateBody(WordingBody):
    template_id: Annotated[str, Field(min_length=1, max_length=64)]


class PreviewBody(WordingBody):
    """`values` stand in for sample values where given. `on` names the happening the words are for, and so what they may name."""

    on: str | None = None
    values: dict[str, Annotated[str, Field(max_length=1_000)]] = {}


class TemplateReply(BaseModel):
    """Words in one of their versions; the newest is the one that is sent."""

    template_id: str
    channel: str
    locale: str
    version: int
    text: str
    subject: str | None
    published_at: datetime

    @classmethod
    def of(cls, template: Template) -> "TemplateReply":
        newest = template.newest
        assert newest is not None, "what was just published is there"
        return cls(
            template_id=newest.template_id,
            channel=newest.channel,
            locale=newest.locale,
            version=newest.version,
            text=newest.text,
            subject=newest.subject,
            published_at=newest.occurred_at,
        )


class Templates(BaseModel):
    items: list[TemplateReply]


class PreviewReply(BaseModel):
    """The words as a customer would read them."""

    text: str
    subject: str | None
    characters: int

    @classmethod
    def of(cls, words: Words) -> "PreviewReply":
        return cls(text=words.text, subject=words.subject, characters=len(words.text))


@router.post("", status_code=201, responses=problems(UnsuitableWording, Invalid))
async def publish(body: TemplateBody, _: Writer, log: LogDep, clock: ClockDep, once: Once) -> TemplateReply:
    """Publish words: from now on these are sent. The same words again change nothing."""
    command = PublishTemplate(**body.model_dump(), at=clock.now())
    return await once(lambda: log.retrying(lambda: publish_template(command, log)), TemplateReply.of)


@router.post(":preview", responses=problems(UnsuitableWording, Invalid))
async def preview(body: PreviewBody, _: Reader, clock: ClockDep) -> PreviewReply:
    """Show words as a customer would read them, with sample values, without publishing anything."""
    return PreviewReply.of(preview_template(PreviewTemplate(**body.model_dump(), at=clock.now())))


@router.get("")
async def list_templates(_: Reader, reads: ReadsDep) -> Templates:
    """List the words in use."""
    return Templates(items=_replies(await newest_wordings(reads)))


@router.get("/{template_id}", responses=problems(NotFound))
async def show_template(template_id: Annotated[str, Path(max_length=64)], _: Reader, reads: ReadsDep) -> Templates:
    """Show one template in all channels, languages and versions, the newest first."""
    found = await wordings_of(reads, template_id)
    if not found:
        raise NotFound("there is no such template", id=template_id)
    return Templates(items=_replies(found))


def _replies(rows: list[dict[str, Any]]) -> list[TemplateReply]:
    return [TemplateReply(**row) for row in rows]
