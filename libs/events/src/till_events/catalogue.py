"""Every event there is: importing this module declares them all."""

from till_events import analytics, customer, loyalty, notification, order

__all__ = ["analytics", "customer", "loyalty", "notification", "order"]
