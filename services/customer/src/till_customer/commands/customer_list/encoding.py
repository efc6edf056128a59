"""Which encoding a text file is in. UTF-8 shows itself; older ones are told apart by the letters they would give.

A list of names is too short for the statistics of a general detector, which takes Polish for French; so the code pages of our shops are
weighed by their letters first, and the general detector is asked about the rest of the world.
"""

import codecs
import re
from typing import BinaryIO

from charset_normalizer import from_bytes

from till_platform.domain import Invalid

_SAMPLE_BYTES = 256_000
_CHUNK = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# The code pages of Russian, Polish and Western spreadsheets and tills, the likelier first: of equals the first is taken.
_OLDER = ("cp1251", "cp1250", "cp1252", "cp866", "iso8859-2", "koi8-r")

_CYRILLIC = re.compile(r"[а-яёіїєґўА-ЯЁІЇЄҐЎ]")
_ACCENTED = re.compile(r"[ąćęłńóśźżĄĆĘŁŃÓŚŹŻäöüßÄÖÜàâçéèêëîïôùûñáíúÀÂÇÉÈÊÎÔÑÁÍÚ]")
_TYPOGRAPHIC = re.compile(r"[«»„”“’–—№…€\xa0]")
_NOT_LETTERS = re.compile(r"[^\x00-\x7f\w]")
_TWO_SCRIPTS = re.compile(r"[A-Za-z][а-яёіїєґў]|[а-яёіїєґў][A-Za-z]")
_INNER_CAPITAL = re.compile(r"[а-яёąćęłńóśźż][А-ЯЁĄĆĘŁŃÓŚŹŻ]")


def detected(file: BinaryIO) -> str:
    """Return the name of the encoding, as Python knows it. Reads the file from its beginning and goes back there."""
    file.seek(0)
    head = file.read(4096)
    if marked := next((name for mark, name in _MARKS if head.startswith(mark)), None):
        file.seek(0)
        return marked
    # Text of Latin letters in UTF-16 is half zeros; nothing else is.
    if head.count(0) > len(head) // 4:
        file.seek(0)
        return "utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"
    sample = _lines_that_tell(file)
    file.seek(0)
    if _reads_as_utf8(sample):
        return "utf-8"
    best = max(_OLDER, key=lambda encoding: _likeness(sample, encoding))
    # Two for every letter: below half of that it is some other code page.
    if _likeness(sample, best) >= sum(byte > 0x7F for byte in sample):
        return best
    other = from_bytes(sample).best()
    return other.encoding if other else best


def checked(name: str) -> str:
    """Return the encoding somebody named, if it is one for text. Raises `Invalid`."""
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)
    except (LookupError, ValueError, TypeError):
        raise Invalid("there is no such encoding", field="encoding") from None
    return codec.name


def _lines_that_tell(file: BinaryIO) -> bytes:
    """Gather lines with letters beyond ASCII from all over the file: only they tell encodings apart."""
    file.seek(0)
    found = bytearray()
    while len(found) < _SAMPLE_BYTES and (chunk := file.read(_CHUNK)):
        if not chunk.isascii():
            for line in chunk.splitlines():
                if not line.isascii():
                    found += line[:4096] + b"\n"
    return bytes(found[:_SAMPLE_BYTES])


def _reads_as_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, save for a few broken characters: one bad byte must not turn all others into nonsense."""
    text = sample.decode("utf-8", errors="replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    letters = sum(character > "\x7f" for character in text) - broken
    return broken * 10 <= letters


def _likeness(sample: bytes, encoding: str) -> int:
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        text = sample.decode(encoding, errors="replace")
    letters = len(_CYRILLIC.findall(text)) + len(_ACCENTED.findall(text))
    oddities = len(_NOT_LETTERS.findall(text)) - len(_TYPOGRAPHIC.findall(text))
    # A foreign letter within a word is the surest sign of a wrong code page.
    return 2 * letters - 4 * oddities - 4 * len(_TWO_SCRIPTS.findall(text)) - 3 * len(_INNER_CAPITAL.findall(text))
