"""How long FERScope takes to start, in seconds.

    python benchmarks/start_time.py [--source fer2013.tar.xz] [--runs 3]

Each figure is the median of several fresh processes:

- `import workbench.services`; limit 3 s.
- `ferscope app`, until its server responds; limit 5 s.
- The page Explain of that server, from opening a session until the page with its first map is complete; limit 1.5 s.
- `ferscope data import` of a dataset that is imported already; limit 1 s. By default FERSCOPE_FER2013 is the source;
  without one this is not run.

Other work on the computer lengthens all of them, so its load is recorded too. Writes
benchmarks/results/start_time.json.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from attacks.streamlit_client import Visitor, status

from workbench.cli import port_is_free

ROOT = Path(__file__).resolve().parents[1]
FERSCOPE = [sys.executable, "-c", "from workbench.cli import main; main()"]
LIMITS = {"import workbench.services": 3.0, "app": 5.0, "first map": 1.5, "data import": 1.0}


def seconds_of(command: list[str], **values: str) -> float:
    """How long a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | values)
    return time.perf_counter() - start


def app_and_first_map() -> tuple[float, float]:
    """Seconds until the server of the app responds, and then until the first page is complete."""
    port, start = next(filter(port_is_free, range(8600, 8700))), time.perf_counter()
    app = subprocess.Popen([*FERSCOPE, "app", f"--port={port}"], stdout=subprocess.DEVNULL)
    try:
        while status(port) != 200:
            if app.poll() is not None:
                raise SystemExit("The app ended while it started: run ferscope app to see why.")
            time.sleep(0.02)
        served = time.perf_counter()
        with Visitor(port) as visitor:
            visitor.run()
        return served - start, time.perf_counter() - served
    finally:
        app.terminate()
        app.wait(60)


def import_again(source: str, runs: int) -> list[float]:
    """Seconds of each `ferscope data import` of a source after the first, in a folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [*FERSCOPE, "data", "import", source]
        seconds_of(command, FERSCOPE_HOME=home)
        return [seconds_of(command, FERSCOPE_HOME=home) for _ in range(runs)]


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    source: str | None = os.environ.get("FERSCOPE_FER2013")
    runs: int = 3


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    found = {"import workbench.services": []}
    for _ in range(options.runs):
        found["import workbench.services"].append(seconds_of([sys.executable, "-c", "import workbench.services"]))
    found["app"], found["first map"] = zip(*(app_and_first_map() for _ in range(options.runs)), strict=True)
    if options.source:
        found["data import"] = import_again(options.source, options.runs)
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, limit in LIMITS.items():
        if name in medians:
            print(f"{name}: {medians[name]:.2f} s, at most {limit} s:", "met" if medians[name] <= limit else "missed")
        else:
            print(f"{name}: not run, no dataset given (--source)")
    load = os.getloadavg()[0] / os.cpu_count()
    print(f"load of the computer in the last minute: {load:.1f} for each core")
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "start_time.json").write_text(json.dumps({"seconds": medians, "load": load}, indent=2) + "\n")


if __name__ == "__main__":
    main()
