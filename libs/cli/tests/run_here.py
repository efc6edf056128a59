"""`till up` with the services of a given folder: run_here.py DATA_DIR PROGRAMS [NAME=PORT...]"""

import asyncio
import os
import sys
from pathlib import Path

from till_platform.local import LocalProblem
from tillstream.local.directory import DataDirectory
from tillstream.local.run import LocalRun
from tillstream.local.supervisor import until_signalled

try:
    run = LocalRun(
        DataDirectory(Path(sys.argv[1])),
        only=[],
        ports={entry.partition("=")[0]: int(entry.partition("=")[2]) for entry in sys.argv[3:]},
        environment=os.environ,
        say=lambda line: print(line, flush=True),  # noqa: T201 -- it is a program
        programs=Path(sys.argv[2]),
    )
    asyncio.run(until_signalled(run.run()))
except LocalProblem as problem:
    sys.exit(str(problem))
