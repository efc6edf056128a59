"""Golden samples: real-looking events written down once per version and read for ever after."""

import re
from typing import Any

import msgspec

from till_events.envelope import Envelope, from_headers

_NAME = re.compile(r"(?P<owner>[a-z]+)/(?P<name>[A-Za-z]+)\.v(?P<major>[0-9]+)\.(?P<number>[0-9]+)\.json")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded event: the bytes of its value, and its headers as text."""

    type: str
    number: int
    data: bytes
    headers: dict[str, str]

    @property
    def payload(self) -> Any:
        """The value as plain JSON."""
        return msgspec.json.decode(self.data)

    @property
    def envelope(self) -> Envelope:
        """What the headers say."""
        return from_headers([(name, text.encode()) for name, text in self.headers.items()])


def read_sample(path: str, data: bytes, headers: bytes) -> Sample:
    """Read a sample from `<owner>/<Event>.v<major>.<number>.json` and the headers beside it. Raises `ValueError` for another name."""
    match = _NAME.fullmatch(path)
    if match is None:
        raise ValueError(f"{path} is not the name of a sample")
    return Sample(
        type=f"tillstream.{match['owner']}.{match['name']}.v{match['major']}",
        number=int(match["number"]),
        data=data.removesuffix(b"\n"),
        headers=msgspec.json.decode(headers, type=dict[str, str]),
    )
