from dataclasses import dataclass

START_AGAIN = "what died is started again by itself; if it goes on: till down && till up -d"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and when it is not well, the command that mends it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
