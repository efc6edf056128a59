from till_customer.wiring import service
from till_platform.main import command

main = command(service())
