"""Names folded so that one person is found however the name was written: Иванов and Ivanov, Łukasz and Lukasz, Yulia and Юлия."""

import re

from anyascii import anyascii

# One spelling for sounds that every transliteration spells its own way. Longest first.
_SOUNDS = {
    "shch": "s", "szcz": "s", "sch": "s", "sh": "s", "sz": "s",
    "zh": "z", "rz": "z",
    "ch": "c", "cz": "c", "ts": "c", "tz": "c",
    "kh": "h", "ph": "f", "ks": "x", "w": "v", "j": "i", "y": "i", "q": "k",
}  # fmt: skip
_SOUND = re.compile("|".join(_SOUNDS))
_REPEATED = re.compile(r"([a-z])\1+")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


def folded(name: str) -> str:
    """Return a name of any script in plain Latin letters, sounds spelt one way, words apart. For finding, never for showing."""
    plain = anyascii(name.replace("ъ", "").replace("ь", "")).lower().replace("'", "")
    return " ".join(_REPEATED.sub(r"\1", _SOUND.sub(_spelt, word)) for word in _NOT_A_WORD.split(plain) if word)


def _spelt(match: re.Match[str]) -> str:
    return _SOUNDS[match[0]]
