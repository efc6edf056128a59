"""What the programme says no to, in words a till can show and codes it can act on."""

from till_platform.domain import DomainError, NotFound


class NotEnoughPoints(DomainError):
    """Fewer points can be spent now than were asked for. Facts: `asked`, `available`."""

    code = "not-enough-points"


class UnknownCard(NotFound):
    """Nobody was ever given a card with this number."""

    code = "unknown-card"


class CardBlocked(DomainError):
    """The card was lost, stolen or replaced and no longer opens its account."""

    code = "card-blocked"


class CardTaken(DomainError):
    """The number is already on a card of another account."""

    code = "card-taken"


class UnknownAccount(NotFound):
    """There is no such account."""

    code = "unknown-account"


class UnknownProgramme(NotFound):
    """The chain runs no programme of this name."""

    code = "unknown-programme"


class UnknownHold(NotFound):
    """No points were ever put aside under this id."""

    code = "unknown-hold"


class HoldExpired(DomainError):
    """The points were put aside for a limited time, and it is over: they may be spent elsewhere by now. Put them aside again."""

    code = "hold-expired"


class HoldSettled(DomainError):
    """The held points were already captured or released, and that cannot be turned around this way. Facts: `state`."""

    code = "hold-settled"
