"""What only this service is told from outside."""

from pydantic import Field

from till_platform.settings import Settings


class OrderSettings(Settings):
    """`return_without_receipt_minor` is how much a manager may give back on one slip without a receipt, in minor units."""

    service: str = "order"

    return_without_receipt_minor: int = Field(default=20_000, ge=0)
