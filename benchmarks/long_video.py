"""Does `ferscope explain` on an hour of video need more memory than on a minute?

    python benchmarks/long_video.py [--minutes 60] [--rate 1] [--fps 1]

The clip has 1920×1080 pixels and shows two photographs that move; one minute is encoded and repeated. Prints seconds
and peak memory of the command, its decoding process included, for one minute and for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av
import tyro
from PIL import Image

from workbench import faces

COMMAND = "from workbench.cli import main; main()"
SIZE = 1920, 1080


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    minutes: int = 60
    rate: int = 1
    """Frames a second of the clip."""
    fps: float = 1
    """Frames a second that are looked at."""


def frame(i: int) -> Image.Image:
    """The i-th frame of a minute."""
    picture = Image.new("RGB", SIZE, (96, 104, 112))
    for at, name in enumerate(("astronaut", "grace_hopper")):
        photo = faces.sample_picture(name)
        picture.paste(photo, (150 + 900 * at + 5 * (i % 40), 200 + 3 * (i % 20)))
    return picture


def write(file: Path, minutes: int, rate: int) -> None:
    """Encode a minute, and write its packets as often as the clip has minutes."""
    with av.open(file, "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        (stream.width, stream.height), stream.pix_fmt, stream.bit_rate = SIZE, "yuv420p", 500_000
        encoded = [p for i in range(60 * rate) for p in stream.encode(av.VideoFrame.from_image(frame(i)))]
        encoded += stream.encode()
        contents = [(bytes(packet), packet.is_keyframe) for packet in encoded]
        for i in range(minutes * len(contents)):
            packet = av.Packet(contents[i % len(contents)][0])
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base, packet.is_keyframe = encoded[0].time_base, contents[i % len(contents)][1]
            container.mux(packet)


def explain(clip: Path, fps: float) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command in a process of its own."""
    words = ["explain", str(clip), "--fps", str(fps), "--out", str(clip.with_suffix(".html"))]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # with the largest of its own processes
    if status:
        raise SystemExit("ferscope explain failed: see its message above")
    return time.perf_counter() - start, usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as place:
        for minutes in (1, options.minutes):
            clip = Path(place) / f"{minutes}.mp4"
            write(clip, minutes, options.rate)
            seconds, memory = explain(clip, options.fps)
            rows = len(clip.with_suffix(".csv").read_text().splitlines()) - 1
            print(f"{minutes} min, {rows} rows: {seconds:.0f} s, {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
