from till_notification.wiring import service
from till_platform.main import command

main = command(service())
