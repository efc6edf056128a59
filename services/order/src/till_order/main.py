from till_order.wiring import service
from till_platform.main import command

main = command(service())
