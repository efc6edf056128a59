from enum import IntEnum


class Exit(IntEnum):
    """What a script learns from how `till` ended."""

    OK = 0
    FAILURE = 1
    """Something is wrong: a part does not come up, a check found a difference."""
    USAGE = 2
    """The command was not understood; nothing was done."""
    ROW_ERRORS = 3
    """Done, but some rows were refused; which and why was printed."""
    NOT_FOUND = 4
    CONFLICT = 5
    """Somebody was faster, or what was asked for is already so."""
    FORBIDDEN = 6
    UNAVAILABLE = 7
    """Nothing runs from this data directory, or a service did not answer in time."""
    CONTRACT_BREACH = 8
    INTERRUPTED = 130
    """Ended by Ctrl-C before it was done; what was started is stopped. `till up`, once it is ready, ends well by Ctrl-C."""
    PIPE_CLOSED = 141
    """Whoever read the output had enough of it, as in `till events tail | head`; what a shell says of other programs then."""


class CommandFailed(Exception):
    """A command cannot do what was asked; says what is wrong, what to type next, and how `till` ends."""

    def __init__(self, detail: str, hint: str = "", code: Exit = Exit.FAILURE) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.code = code
