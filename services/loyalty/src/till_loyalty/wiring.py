from datetime import timedelta

from till_loyalty.api import accounts, cards, holds, programmes
from till_loyalty.commands.publish_rules import publish_default_rules
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.purchases import CreditedPurchase
from till_loyalty.figures import FIGURES
from till_loyalty.projections.accounts import Accounts
from till_loyalty.projections.holds import Holds
from till_loyalty.projections.ledgers import Ledgers
from till_loyalty.projections.lots import Lots
from till_loyalty.projections.till_answers import TillAnswers
from till_loyalty.reactions.when_customer_is_registered import WhenCustomerIsRegistered
from till_loyalty.reactions.when_purchase_is_recorded import WhenPurchaseIsRecorded
from till_loyalty.reactions.when_purchase_is_returned import WhenPurchaseIsReturned
from till_loyalty.reactions.when_time_passes import announce_expiry, release_overdue_holds, review_tiers
from till_platform.jobs import Job
from till_platform.service import Service


def service() -> Service:
    """Points, cards and levels."""
    answers = TillAnswers()
    return Service(
        name="loyalty",
        projections=(Accounts(), Lots(), Holds(), Ledgers()),
        reactions=(WhenCustomerIsRegistered(), WhenPurchaseIsRecorded(), WhenPurchaseIsReturned()),
        figures=FIGURES,
        aggregates=(Account, Card, Programme, CreditedPurchase),
        routers=(cards.routes(answers), holds.router, accounts.router, programmes.router),
        jobs=(
            Job("release-overdue-holds", timedelta(seconds=5), release_overdue_holds),
            Job("announce-expiry", timedelta(minutes=1), announce_expiry),
            Job("review-tiers", timedelta(hours=1), review_tiers),
        ),
        watchers=(answers,),
        seed=publish_default_rules,
    )
