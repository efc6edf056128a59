"""Who it is that tells something, in OpenTelemetry's words."""

import os
import socket

from opentelemetry.sdk.resources import Resource


def resource_of(service: str) -> Resource:
    """Return the service and, as its instance, this very process: two processes of a service must not be taken for one."""
    return Resource.create(
        {"service.name": f"till-{service}", "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
    )
