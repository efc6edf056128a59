"""What a text or a moment may look like when another system tells us about it, checked while it is read."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from till_order.domain.lines import LONGEST_ID

PRINTABLE = r"\A[^\x00-\x1f\x7f]*\Z"

Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID, pattern=PRINTABLE)]
"""An id of another system: any printable text up to 64 characters."""

Name = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE)]
ShortText = Annotated[str, Meta(max_length=200, pattern=PRINTABLE)]

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its offset: without one nobody knows when it was."""
