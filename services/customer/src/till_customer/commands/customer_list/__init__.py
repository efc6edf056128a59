"""Customer lists as people have them: spreadsheets, and text files of any encoding and delimiter. Read in constant memory, row by row."""

from till_customer.commands.customer_list.opening import open_list
from till_customer.commands.customer_list.sheet import Row, Sheet, UnreadableRow

__all__ = ["Row", "Sheet", "UnreadableRow", "open_list"]
