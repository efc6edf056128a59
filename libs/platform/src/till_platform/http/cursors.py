"""Long lists in pages: a cursor says after which row to go on, is opaque, signed, and good for the list it was given for only."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from till_platform.http.problems import Refusal

T = TypeVar("T")
R = TypeVar("R")
Key = tuple[str | int | datetime | None, ...]
"""Where a row stands in the list's order: the values of its sort columns. Ids and times, never anything personal."""

_SIGNATURE = 16
_NOT_FILTERS = frozenset({"cursor", "limit"})


class Page(BaseModel, Generic[T]):
    """Some items of a list, and the cursor of the next ones if there are any."""

    items: list[T]
    next_cursor: str | None = None


class Cursor:
    """Where the caller wants to go on, and how many items it wants.

    Ask the read model for `cursor.fetch` rows after `cursor.after` (None on the first page) and hand them to `page`.
    """

    def __init__(self, request: Request, response: Response, limit: int, cursor: str | None) -> None:
        self.limit = limit
        self._request = request
        self._response = response
        self._secret = request.app.state.parts.settings.cursor_secret.get_secret_value().encode()
        self.after: Key | None = self._opened(cursor) if cursor else None

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than are shown, to know whether there are more."""
        return self.limit + 1

    def page(self, rows: Sequence[R], *, key: Callable[[R], Key], item: Callable[[R], T]) -> Page[T]:
        """Return the rows as a page. `key` gives a row's place in the order, `item` turns it into what is shown."""
        shown = rows[: self.limit]
        following = self._sealed(key(shown[-1])) if len(rows) > self.limit else None
        if following:
            query = {**self._request.query_params, "cursor": following}
            self._response.headers["Link"] = f'<{self._request.url.path}?{urlencode(query)}>; rel="next"'
        return Page[Any](items=[item(row) for row in shown], next_cursor=following)

    def _sealed(self, key: Key) -> str:
        payload = msgspec.msgpack.encode(key)
        return urlsafe_b64encode(self._signature(payload) + payload).rstrip(b"=").decode()

    def _opened(self, cursor: str) -> Key:
        try:
            sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            sealed = b""
        payload = sealed[_SIGNATURE:]
        if not hmac.compare_digest(sealed[:_SIGNATURE], self._signature(payload)):
            raise Refusal(400, "cursor-unknown", "this cursor was not given for this list: start again without one")
        return tuple(msgspec.msgpack.decode(payload))

    def _signature(self, payload: bytes) -> bytes:
        """Sign the list with the row: other filters would go on in the middle of another list."""
        filters = sorted(pair for pair in self._request.query_params.multi_items() if pair[0] not in _NOT_FILTERS)
        signed = msgspec.msgpack.encode([self._request.url.path, filters, payload])
        return hmac.digest(self._secret, signed, hashlib.sha256)[:_SIGNATURE]


async def _cursor(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=200, description="How many items at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=1024, description="`next_cursor` of the page before.")] = None,
) -> Cursor:
    return Cursor(request, response, limit, cursor)


CursorDep = Annotated[Cursor, Depends(_cursor)]
