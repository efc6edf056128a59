from till_customer.api import consents, customers, imports, timeline
from till_customer.domain.customer import Customer
from till_customer.domain.customer_import import CustomerImport
from till_customer.projections.cards import Cards
from till_customer.projections.consents import Consents
from till_customer.projections.customers import Customers
from till_customer.projections.stores import Stores
from till_customer.projections.timelines import Timelines
from till_customer.settings import CustomerSettings
from till_platform.service import Service


def service() -> Service:
    """Who the customers are, what they agreed to, and everything that happened to them."""
    return Service(
        name="customer",
        projections=(Customers(), Consents(), Cards(), Stores(), Timelines()),
        aggregates=(Customer, CustomerImport),
        routers=(customers.router, consents.router, timeline.router, imports.router),
        settings=CustomerSettings,
        extensions=("pg_trgm",),
    )
