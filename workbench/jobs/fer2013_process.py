"""The process that imports FER2013 for the app: `python -m workbench.jobs.fer2013_process SOURCE OUT`.

It reads the archive, folder or CSV and writes the dataset in one step once all of it was read. It prints a line of JSON
for the progress, and a last one with the error, if there is one.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from models.datasets import DataError, FaceSet, fer2013, readers
from models.datasets.archives import stamp
from models.files import DiskFullError

_EVERY = 0.25  # seconds between two lines of progress


def write(source: Path, out: Path) -> FaceSet:
    """Read a complete FER2013 and write it to a file, printing the progress.

    Raises:
        DataError: the source is not the complete FER2013; the message says what differs.
        DiskFullError: no room.
    """
    printed = 0.0

    def say(files: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= _EVERY:
            printed = time.monotonic()
            print(json.dumps({"files": files}), flush=True)

    _, found = readers.read(source, "fer2013", say)
    if differences := fer2013.check_counts(found):
        raise DataError(
            f"This is not the complete FER2013, so nothing was written: {'; '.join(differences)}. To import it as it "
            "is, in a terminal: ferscope data import SOURCE --force"
        )
    print(json.dumps({"files": len(found)}), flush=True)
    found.save(out, stamp(source))
    return found


def _main(source: str, out: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a half-written file is removed
    try:
        write(Path(source), Path(out))
    except (DataError, DiskFullError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
