from till_order.api import order_moves, orders, products, receipts, returns, stores, workflows
from till_order.commands.publish_workflow import publish_default
from till_order.domain.order import Order
from till_order.domain.product import Product
from till_order.domain.receipt import Receipt
from till_order.domain.slip import ReturnSlip
from till_order.domain.store import Store
from till_order.domain.workflow import Workflow
from till_order.figures import FIGURES
from till_order.projections.cards import Cards
from till_order.projections.order_cards import OrderCards
from till_order.projections.products import Products
from till_order.projections.receipts import Receipts
from till_order.projections.stores import Stores
from till_order.settings import OrderSettings
from till_platform.clock import SystemClock
from till_platform.eventstore.log import Log
from till_platform.service import Service


def service() -> Service:
    """Stores, products, receipts, returns and orders."""
    return Service(
        name="order",
        projections=(Stores(), Products(), Cards(), Receipts(), OrderCards()),
        figures=FIGURES,
        aggregates=(Order, Product, Receipt, ReturnSlip, Store, Workflow),
        routers=(
            stores.router,
            products.router,
            receipts.router,
            returns.router,
            orders.router,
            order_moves.router,
            workflows.router,
        ),
        seed=seed,
        settings=OrderSettings,
    )


async def seed(log: Log) -> None:
    """Publish the default workflow, unless the chain has one."""
    await publish_default(log, SystemClock().now())
