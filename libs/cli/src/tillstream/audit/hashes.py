"""The hashes of many events by position, in little memory: 33 bytes for each, whatever order they come in."""

PAGE = 4096
_SEEN, _PUBLIC = 1, 2


class Hashes:
    """What was found at which position: the event's hash, and whether the event is public."""

    def __init__(self) -> None:
        self._hashes: dict[int, bytearray] = {}
        self._kinds: dict[int, bytearray] = {}
        self.count = 0
        self.first = 0
        self.last = 0

    def __contains__(self, position: int) -> bool:
        page, place = divmod(position, PAGE)
        return page in self._kinds and bool(self._kinds[page][place])

    def put(self, position: int, found: bytes, *, public: bool) -> None:
        """Keep the hash of an event that is not there yet."""
        page, place = divmod(position, PAGE)
        if page not in self._kinds:
            self._hashes[page], self._kinds[page] = bytearray(PAGE * 32), bytearray(PAGE)
        self._hashes[page][32 * place : 32 * place + 32] = found
        self._kinds[page][place] = _SEEN | (_PUBLIC if public else 0)
        self.count += 1
        self.first = min(self.first or position, position)
        self.last = max(self.last, position)

    def get(self, position: int) -> bytes | None:
        """Return the hash of an event, or None if there is none at the position."""
        if position not in self:
            return None
        page, place = divmod(position, PAGE)
        return bytes(self._hashes[page][32 * place : 32 * place + 32])

    def public(self, position: int) -> bool:
        """Whether the event at the position is public."""
        page, place = divmod(position, PAGE)
        return page in self._kinds and bool(self._kinds[page][place] & _PUBLIC)
