"""Read damaged videos: does each give frames or a sentence that says what to do, within time and memory?

    python benchmarks/damaged_videos.py [--count 300] [--seed 0]

Small valid clips of several containers and codecs are damaged at random, as in damaged_images.py. Each is decoded as
the app decodes an upload. Printed for each kind: how many gave frames and how many were refused, the longest time, and
the most memory of a decoding process. Exit status 1 after another exception than `PictureError`, more frames than the
clip can have, or a clip that took over a minute.
"""

from __future__ import annotations

import io
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass

import av
import numpy as np
import tyro
from damaged_images import damaged

from workbench import faces
from workbench.decoders.video import Clip, frames
from workbench.faces import PictureError

SECONDS = 60.0
FRAMES = 24
KINDS = {
    "MPEG-4 in MP4": ("mpeg4", "mp4"),
    "H.264 in MP4": ("libx264", "mp4"),
    "H.264 in MKV": ("libx264", "matroska"),
    "VP8 in WebM": ("libvpx", "webm"),
    "VP9 in WebM": ("libvpx-vp9", "webm"),
    "MJPEG in AVI": ("mjpeg", "avi"),
    "H.264 in MPEG-TS": ("libx264", "mpegts"),
}


@dataclass(frozen=True)
class Options:
    count: int = 300
    """How many damaged clips, in equal shares of each kind."""
    seed: int = 0


def valid_clip(codec: str, container: str) -> bytes:
    """A clip of one second in which a photograph moves."""
    photograph, buffer = faces.sample_picture("astronaut").resize((128, 128)), io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=FRAMES)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i in range(FRAMES):
            frame = av.VideoFrame.from_image(photograph.crop((i, 0, i + 96, 96)))
            file.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        file.mux(stream.encode())
    return buffer.getvalue()


def read(data: bytes) -> str:
    """What became of a clip: "frames", "refused", or what is wrong."""
    start, found = time.monotonic(), 0
    try:
        for frame in frames(Clip(data), 30):
            found += 1
            if frame.picture.mode != "RGB" or max(frame.picture.size) > 1280:
                return f"{frame.picture}"
        outcome = "frames"
    except PictureError:
        outcome = "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if found > 20 * FRAMES:
        return f"{found} frames"
    seconds = time.monotonic() - start
    return outcome if seconds < SECONDS else f"{seconds:.0f} s"


def main() -> int:
    options, failed = tyro.cli(Options, description=__doc__), 0
    print(f"{'kind':18} {'frames':>7} {'refused':>8} {'longest':>9}  wrong")
    for number, (kind, (codec, container)) in enumerate(KINDS.items()):
        rng, data = np.random.default_rng((options.seed, number)), valid_clip(codec, container)
        assert read(data) == "frames", kind
        found, longest = Counter(), 0.0
        for _ in range(number, options.count, len(KINDS)):
            start = time.monotonic()
            found[read(damaged(data, rng))] += 1
            longest = max(longest, time.monotonic() - start)
        wrong = {what: times for what, times in found.items() if what not in ("frames", "refused")}
        failed += sum(wrong.values())
        print(f"{kind:18} {found['frames']:7} {found['refused']:8} {longest:7.1f} s  {wrong or 0}", flush=True)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"{options.count} clips, {failed} wrong; most memory of a process: {most} MiB")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
