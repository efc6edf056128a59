from typing import BinaryIO

from till_customer.commands.customer_list.csv_file import open_csv
from till_customer.commands.customer_list.sheet import Sheet
from till_customer.commands.customer_list.xlsx_file import open_xlsx
from till_platform.domain import Invalid

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def open_list(file: BinaryIO, *, encoding: str | None = None, delimiter: str | None = None) -> Sheet:
    """Open a customer list by what it is, whatever its name says. Raises `Invalid` if nothing can be read from it."""
    file.seek(0)
    head = file.read(len(_ZIP))
    if head == _ZIP:
        return open_xlsx(file)
    if head == _OLD_EXCEL:
        raise Invalid("this is an old or protected Excel file: save it as XLSX or CSV", field="file")
    return open_csv(file, encoding=encoding, delimiter=delimiter)
