"""What every report says of itself."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from till_analytics.api.access import Asked

Limit = Annotated[int, Query(ge=1, le=100_000, description="How many rows at most.")]


class Coverage(BaseModel):
    """What a report covers: business days from `from` to `to`. `loaded_to` is the last day of which anything is known."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    loaded_to: date | None

    @staticmethod
    def of(asked: Asked) -> dict[str, Any]:
        period = asked.scope.period
        return {"first": period.first, "last": period.last, "loaded_to": asked.loaded_to}
