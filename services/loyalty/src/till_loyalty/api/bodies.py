"""What requests about points may hold."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE)]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=PRINTABLE)]
Points = Annotated[int, Field(strict=True, ge=1, le=10**9)]
PathId = Annotated[str, Path(min_length=1, max_length=128, pattern=PRINTABLE)]
CardNumber = Annotated[str, Path(pattern="^[0-9]{13}$", description="EAN-13")]


def _in_our_time(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 2200:
        raise ValueError("is not a time of this programme")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""A time with its offset, kept in UTC."""


class Body(BaseModel):
    """What a request holds, and nothing besides."""

    model_config = ConfigDict(extra="forbid")


class HoldBody(Body):
    """Points to be put aside for a sale in a store."""

    points: Points
    store_id: Id
    order_id: Id | None = None


class CaptureBody(Body):
    """The sale that the points paid for: it is what brings them back if the goods go back."""

    purchase_id: Id | None = None
    order_id: Id | None = None


class AdjustmentBody(Body):
    """Points to give, or with a minus to take, and why."""

    points: Annotated[int, Field(strict=True, ge=-(10**9), le=10**9)]
    reason: Text
    comment: Text | None = None


class BlockBody(Body):
    """Why a card must no longer open its account."""

    reason: Text
