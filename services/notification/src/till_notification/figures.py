"""What became of the messages, as figures."""

from prometheus_client import Gauge

from till_platform.figures import Figure

FIGURES = (
    Figure(
        Gauge("till_messages", "Messages by channel and by what became of them.", ["channel", "outcome"]),
        "SELECT channel, outcome, count(*) AS value FROM messages.messages GROUP BY 1, 2",
    ),
)
