"""Every event there is: importing this module declares them all."""

from till_events import analytics, audit, customer, loyalty, notification, order

__all__ = ["analytics", "audit", "customer", "loyalty", "notification", "order"]
