import os
import pwd
import shutil
from pathlib import Path

from till_platform.local.problem import LocalProblem


def unprivileged() -> list[str]:
    """The words to put before a command that refuses to run as root, as PostgreSQL's do: it then runs as `nobody`.

    That account cannot walk into root's own folders, where the packages and the data may well be. The one capability to do so
    is left to the process, rather than opening those folders to everybody.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalProblem(
            "PostgreSQL refuses to run as root and there is no setpriv here", "run this as an ordinary user"
        )
    account, capability = _nobody(), "-all,+dac_override"
    return [
        setpriv,
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups",
        f"--inh-caps={capability}",
        f"--ambient-caps={capability}",
        "--",
    ]


def hand_over(path: Path) -> None:
    """What a program started that way has to own."""
    if os.geteuid() == 0:
        os.chown(path, _nobody().pw_uid, _nobody().pw_gid)


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
