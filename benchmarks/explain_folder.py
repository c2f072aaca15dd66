"""How fast `ferscope explain FOLDER` explains drawn faces, with a map of each, and how much memory that takes.

    python benchmarks/explain_folder.py [--faces 1000] [--side 240] [--network NAME]

Prints faces a second, with the start of the program and without it, the processor time of a face, which other work on
the computer does not lengthen, and the peak memory for a tenth of the faces and for all of them, which should be about
the same. At least 20 faces a second are wanted on two cores.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image

from models.datasets.synthetic.faces import EXPRESSIONS, draw_face

COMMAND = "from workbench.cli import main; main()"


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    faces: int = 1000
    side: int = 240
    network: str = "residual_cnn"


def draw(folder: Path, options: Options) -> None:
    """Write drawn faces of all expressions as PNG files."""
    folder.mkdir()
    for i in range(options.faces):
        face = draw_face(list(EXPRESSIONS)[i % len(EXPRESSIONS)], options.side, seed=i)
        Image.fromarray(face).save(folder / f"{i:05d}.png")


def explain(files: list[Path], out: Path, network: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and peak memory in MB of explaining files in a process of its own."""
    words = ["explain", *map(str, files), "--out", str(out), "--network", network]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("ferscope explain failed: see its message above")
    memory = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, memory


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "faces", Path(place) / "report.html"
        draw(folder, options)
        files = sorted(folder.iterdir())
        first, start, _ = explain(files[:1], out, options.network)
        *_, few = explain(files[: max(1, options.faces // 10)], out, options.network)
        whole, busy, all_ = explain([folder], out, options.network)
    print(f"{options.faces} faces in {whole:.1f} s: {options.faces / whole:.1f} faces a second")
    print(f"without the start of the program ({first:.1f} s): {options.faces / (whole - first):.1f} faces a second")
    print(f"processor time: {1000 * (busy - start) / options.faces:.0f} ms a face")
    print(f"peak memory: {few:.0f} MB for a tenth of them, {all_:.0f} MB for all")
    print(f"load of the computer in the last minute: {os.getloadavg()[0] / (os.cpu_count() or 1):.1f} for each core")


if __name__ == "__main__":
    main()
