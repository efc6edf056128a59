from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from till_platform.domain import DomainError

Identifier = tuple[str, str]
"""What another system or a card calls a customer: `("external_id", "1C-42")`, `("card", "2000000000013")`."""


class KnownCustomers(Protocol):
    """The customers of the chain as far as the read models have heard: they are a moment behind the log."""

    async def owners(self, identifiers: Collection[Identifier]) -> Mapping[Identifier, str]:
        """Return whose these are; identifiers that nobody owns are left out."""
        ...

    async def sharing(self, contacts: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the customers of each phone or e-mail address."""
        ...


class IdentifierTaken(DomainError):
    """The card or the other system's id belongs to another customer. Unlike a phone, it can belong to one only."""

    code = "identifier-taken"


def identifiers_of(external_id: str | None, cards: Sequence[str]) -> list[Identifier]:
    """Return what can belong to one customer only."""
    named = [("external_id", external_id)] if external_id else []
    return named + [("card", card) for card in cards]


def check_not_taken(identity: str, owners: Mapping[Identifier, str]) -> None:
    """Refuse identifiers of somebody else; raise `IdentifierTaken` naming the owner."""
    for (kind, _), owner in sorted(owners.items()):
        if owner != identity:
            raise IdentifierTaken("this belongs to another customer", field=kind, customer_id=owner)
