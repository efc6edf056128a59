"""The analytics service, put together."""

from till_analytics.api import customers, orders, repeat_sales, rfm, rfm_model, sales, tickets, totals
from till_analytics.commands.publish_rfm_model import seed
from till_analytics.domain.customer_rank import CustomerRank
from till_analytics.domain.rfm_model import RfmModel
from till_analytics.projections.catalogue import Catalogue
from till_analytics.projections.customer_days import CustomerDays
from till_analytics.projections.orders import Orders
from till_analytics.projections.sales import Sales
from till_analytics.projections.signups import Signups
from till_platform.service import Service


def service() -> Service:
    """Sales, growth, repeat purchases and the ranking of customers."""
    return Service(
        name="analytics",
        projections=(Sales(), CustomerDays(), Catalogue(), Signups(), Orders()),
        aggregates=(CustomerRank, RfmModel),
        routers=(
            sales.router,
            tickets.router,
            repeat_sales.router,
            totals.router,
            customers.router,
            rfm.router,
            rfm_model.router,
            orders.router,
        ),
        seed=seed,
    )
