"""How many camera frames a second one thread can classify: follow the face, crop it, predict, as the live camera does.

    python benchmarks/frames.py [--frames 300] [--network residual_cnn]

Frames of 640×480 in which the astronaut's face moves to and fro and comes nearer. Limit: 30 frames a second. Writes
benchmarks/results/frames.json.
"""

import json
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
import tyro
from PIL import Image
from skimage.data import astronaut

from workbench import faces, services
from workbench.services.explain import warm
from workbench.services.video import Watch

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 30
CAMERA = 30  # frames a second; the whole frame is searched each second of it, as on the live camera page


def frame(i: int) -> Image.Image:
    """The i-th picture of the camera."""
    portrait = Image.fromarray(astronaut())
    side = round(440 + 60 * math.sin(i / 40))
    picture = Image.new("RGB", (640, 480), (96, 104, 112))
    picture.paste(portrait.resize((side, side)), (round(90 + 70 * math.sin(i / 15)), round(20 + 15 * math.cos(i / 9))))
    return picture


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    frames: int = 300
    network: str = services.networks.DEFAULT_NETWORK


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames = [frame(i) for i in range(options.frames)]
    warm()
    watch, seconds, busy, found = Watch.live(options.network), [], time.process_time(), 0
    for i, picture in enumerate(frames):
        start = time.perf_counter()
        found += bool(watch.see(picture, i / CAMERA).faces)
        seconds.append(time.perf_counter() - start)
    busy = (time.process_time() - busy) / len(frames)
    start = time.perf_counter()
    first = faces.detect(frames[0])
    anywhere = time.perf_counter() - start
    rate, worst = 1 / statistics.mean(seconds), 1000 * statistics.quantiles(seconds, n=20)[-1]
    print(f"{options.network}, 640×480, one thread, {options.frames} frames, a face found in {found}")
    print(f"{1000 * busy:.1f} ms of processor time a frame, which other work on the computer hardly lengthens")
    print(f"{rate:.1f} frames/s on average, 95th percentile of a frame {worst:.1f} ms")
    print(f"every face of any size and tilt in one frame (faces.detect, {len(first)} found): {1000 * anywhere:.0f} ms")
    print(f"at least {LIMIT} frames/s:", "met" if rate >= LIMIT else "missed")
    result = {"frames_per_second": rate, "p95_ms": worst, "processor_ms": 1000 * busy}
    result |= {"found": found, "frames": options.frames}
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "frames.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
