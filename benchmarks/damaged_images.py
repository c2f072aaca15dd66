"""Read damaged image files: does each give an image or a sentence that says what to do, within time and memory?

    python benchmarks/damaged_images.py [--count 100000] [--seed 0]

Small valid files of every kind that is read are damaged at random: bytes changed, dropped, doubled or inserted, the
end cut off, half of it within the header. Worker processes read them, so that a crash of a decoder is seen. Printed
for each kind: how many were read as images and how many refused, and the time. Exit status 1 after a crash, another
exception than `PictureError`, an image over the limits, or a file that took over five seconds of processor time.
"""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pillow_heif
import tyro
from PIL import Image

from workbench import faces
from workbench.faces import MAX_PIXELS, PictureError

CHUNK = 10_000  # files that a worker process reads; to start one takes seconds
SECONDS = 5.0  # of processor time that a file may take


@dataclass(frozen=True)
class Options:
    count: int = 100_000
    """How many damaged files, in equal shares of each kind."""
    seed: int = 0


def valid_files() -> dict[str, bytes]:
    """Small valid files of every kind that is read, by the name of the kind."""
    image = faces.sample_picture("drawn_happy").resize((40, 36))
    deep = Image.fromarray(np.arange(1440, dtype="uint16").reshape(36, 40))
    kinds = {
        "JPEG": (image, "JPEG", {}),
        "progressive JPEG": (image, "JPEG", {"progressive": True, "exif": image.getexif().tobytes()}),
        "CMYK JPEG": (image.convert("CMYK"), "JPEG", {}),
        "PNG": (image, "PNG", {}),
        "palette PNG": (image.quantize(16), "PNG", {}),
        "16-bit PNG": (deep, "PNG", {}),
        "WebP": (image, "WEBP", {}),
        "transparent WebP": (image.convert("RGBA"), "WEBP", {"lossless": True}),
        "animated WebP": (image, "WEBP", {"save_all": True, "append_images": [image.rotate(90)]}),
        "HEIC": (image, "HEIF", {}),
        "AVIF": (image, "AVIF", {}),
        "GIF": (image, "GIF", {"save_all": True, "append_images": [image.rotate(90)]}),
        "TIFF": (image, "TIFF", {"compression": "tiff_lzw"}),
        "deflated 16-bit TIFF": (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "JPEG in TIFF": (image, "TIFF", {"compression": "jpeg"}),
        "BMP": (image, "BMP", {}),
        "JPEG 2000": (image, "JPEG2000", {}),
        "PGM": (image.convert("L"), "PPM", {}),
    }
    pillow_heif.register_heif_opener()
    files = {}
    for name, (shown, format_, options) in kinds.items():
        buffer = io.BytesIO()
        shown.save(buffer, format_, **options)
        files[name] = buffer.getvalue()
    return files


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to four damages; the same ones for the same state of `rng`."""
    wrong = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not wrong:
            break
        in_header = rng.random() < 0.5  # sizes and tables are there
        at = int(rng.integers(min(65, len(wrong)) if in_header else len(wrong)))
        length = int(rng.integers(1, 17))
        match rng.choice(("change", "change", "drop", "double", "insert", "cut")):
            case "change":
                wrong[at : at + length] = rng.bytes(length)
            case "drop":
                del wrong[at : at + length]
            case "double":
                wrong[at:at] = wrong[at : at + length]
            case "insert":
                wrong[at:at] = rng.bytes(length)
            case "cut":
                del wrong[at:]
    return bytes(wrong)


def read(data: bytes) -> str:
    """What became of a file: "image", "refused", or what is wrong."""
    start = time.process_time()
    try:
        image = faces.decode(data)
    except PictureError:
        found = "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    else:
        found = "image" if image.mode == "RGB" and image.width * image.height <= MAX_PIXELS else f"{image}"
    seconds = time.process_time() - start
    return found if seconds < SECONDS else f"{seconds:.0f} s"


def read_chunk(kind: str, seed: tuple[int, ...], count: int) -> Counter[str]:
    """What became of `count` damaged files of a kind."""
    rng, data = np.random.default_rng(seed), valid_files()[kind]
    return Counter(read(damaged(data, rng)) for _ in range(count))


def in_worker(kind: str, seed: tuple[int, ...], count: int) -> Counter[str]:
    """`read_chunk` in a process of its own, whose death is counted as a crash."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(read_chunk, kind, seed, count).result()
        except BrokenProcessPool:
            return Counter({f"crash of the worker with seed {seed}": 1})


def main() -> int:
    options = tyro.cli(Options, description=__doc__)
    kinds, failed = list(valid_files()), 0
    print(f"{'kind':20} {'images':>8} {'refused':>8} {'ms a file':>10}  wrong")
    for number, kind in enumerate(kinds):
        count = left = len(range(number, options.count, len(kinds)))
        found, start = Counter(), time.perf_counter()
        while left > 0:
            found += in_worker(kind, (options.seed, number, left), min(CHUNK, left))
            left -= CHUNK
        wrong = {what: times for what, times in found.items() if what not in ("image", "refused")}
        failed += sum(wrong.values())
        each = 1000 * (time.perf_counter() - start) / max(count, 1)
        print(f"{kind:20} {found['image']:8} {found['refused']:8} {each:10.1f}  {wrong or 0}", flush=True)
    print(f"{options.count} files, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
