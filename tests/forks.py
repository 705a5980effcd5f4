"""A process that waits with all imported and forks for each job: starting Python anew takes longer than a run."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import transfer

PATIENCE = 90  # seconds that a busy machine may take for anything

# Reads a job a line, lets a child do it with work(job), and says how that one ended.
LOOP = r"""
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            work(json.loads(line))
        except BaseException as error:
            print("raised", repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
"""


@contextmanager
def starter(work: str) -> Iterator[subprocess.Popen]:
    """The process, for the length of a with block. `work` is Python that imports json, os and sys, and has work()."""
    process = subprocess.Popen(
        [sys.executable, "-c", work + LOOP],
        cwd=Path(transfer.__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait(PATIENCE)
