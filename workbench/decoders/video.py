"""Decode frames of a video in a process of its own, one after another, within limits on memory and time.

As a program it reads a video from its standard input, a file where it can be searched, and writes to its standard
output a line of JSON for the video, then for each frame a line of JSON and the pixels.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from models.images import format_of, video_container
from workbench.decoders.errors import PictureError
from workbench.decoders.process import restrict, started

MAX_BYTES = 100 * 1024**2
MAX_SECONDS = 600.0
MAX_PIXELS = 9_000_000  # of a frame; 4K has 8.3 million
LARGEST = 1280  # pixels of the longer side of a decoded frame
PROCESSOR_SECONDS = 900  # for one pass over a clip that a visitor sends
DAMAGED = "This video is damaged, incomplete, or in a codec that cannot be decoded. Save it as MP4 (H.264)."


@dataclass(frozen=True)
class Clip:
    """A video that frames are read from.

    Attributes:
        source: the path of a file, for callers on this computer; or the bytes of one, with limits for visitors.
    """

    source: Path | bytes

    @property
    def trusted(self) -> bool:
        """Whether it is a file of the user, which may be long and large."""
        return isinstance(self.source, Path)


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame.

    Attributes:
        time: time in seconds from the start of the video.
        picture: upright, RGB, at most `LARGEST` pixels a side.
        scale: factor by which coordinates on `picture` are multiplied to be those of the video.
        duration: duration of the whole video in seconds, as its header says; 0 where it does not.
    """

    time: float
    picture: Image.Image
    scale: float
    duration: float


def frames(clip: Clip, fps: float, start: float = 0.0) -> Iterator[Frame]:
    """Frames of a video at most `fps` times a second, from the time `start` on; memory does not grow with its length.

    Args:
        clip: the video. One that a visitor sent may have 100 MB, 10 minutes and 9 megapixels a frame.
        fps: frames a second, over 0.
        start: time in seconds; the first frame is the last one that begins at or before it, if there is one.

    Raises:
        PictureError: not a video, damaged, or over a limit; the message says what to do.
    """
    with _opened(clip) as file:
        _check(file.read(200))
        file.seek(0)
        seconds = str(0 if clip.trusted else PROCESSOR_SECONDS)
        with started("video", str(fps), str(start), seconds, stdin=file.fileno()) as process:
            assert process.stdout is not None
            yield from _frames_from(process.stdout, clip)


def frame_at(clip: Clip, time: float) -> Frame:
    """The frame that is shown at a time, in seconds; PictureError where there is none."""
    found = frames(clip, 1000.0, time)
    try:
        frame = next(found, None)
    finally:
        found.close()  # type: ignore[attr-defined]
    if frame is None:
        raise PictureError(f"This video has no frame at {time:.1f} s.")
    return frame


@contextlib.contextmanager
def _opened(clip: Clip) -> Iterator[io.FileIO]:
    """The video as a file that has a descriptor; bytes never get a name on the disk."""
    if isinstance(clip.source, Path):
        try:
            file = clip.source.open("rb", buffering=0)  # its position is shared with the process
        except OSError as error:
            raise PictureError(f"{clip.source} cannot be opened: {error.strerror}.") from error
        with file:
            yield file
        return
    if len(clip.source) > MAX_BYTES:
        raise PictureError(f"This video is larger than {MAX_BYTES >> 20} MB. Cut it, or save it smaller.")
    # Unbuffered, as the position is shared with the process. On Linux in memory, elsewhere a file without a name.
    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("clip"), "w+b", 0) if in_memory else tempfile.TemporaryFile(buffering=0) as file:
        rest = memoryview(clip.source)
        while rest:
            rest = rest[file.write(rest) :]
        file.seek(0)
        yield file


def _check(head: bytes) -> None:
    if not head:
        raise PictureError("This file is empty. Choose another video.")
    if format_of(head) is not None:
        raise PictureError("This is an image, not a video. Give it as an image.")
    if video_container(head) is None:
        raise PictureError("This is not a video that can be read. Save it as MP4, MOV, WebM, MKV or AVI.")


def _frames_from(stream: Any, clip: Clip) -> Iterator[Frame]:
    about = _line(stream)
    if about is None:
        raise PictureError(DAMAGED)
    duration = float(about["duration"])
    if not clip.trusted and duration > MAX_SECONDS:
        raise PictureError(
            f"This video is longer than {MAX_SECONDS / 60:.0f} minutes. Cut it, or use the command line."
        )
    while (told := _line(stream)) is not None:
        size = told["size"]
        pixels = stream.read(3 * size[0] * size[1])
        if len(pixels) < 3 * size[0] * size[1]:
            raise PictureError(DAMAGED)
        if not clip.trusted and told["time"] > MAX_SECONDS:
            return
        picture = Image.frombytes("RGB", tuple(size), pixels)
        if told["rotation"] % 360:
            picture = picture.rotate(told["rotation"], expand=True)
        yield Frame(told["time"], picture, told["scale"], duration)


def _line(stream: Any) -> dict[str, Any] | None:
    """The next line of JSON; None at the end, PictureError where the process says what is wrong."""
    line = stream.readline(10_000)
    if not line:
        raise PictureError(DAMAGED)
    told = json.loads(line)
    if "error" in told:
        raise PictureError(told["error"])
    return None if "end" in told else told


# ---- in the process of its own


def main() -> None:
    """Decode the video at the standard input: frames a second, first second, limit of processor time (0: none)."""
    fps, start, seconds = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    restrict(seconds or None)
    out = sys.stdout.buffer
    try:
        for told, pixels in _messages(fps, start):
            out.write(json.dumps(told).encode() + b"\n" + pixels)
            out.flush()
    except PictureError as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
    except BrokenPipeError:
        return
    except Exception:  # FFmpeg raises nearly anything for a broken file
        out.write(json.dumps({"error": DAMAGED}).encode() + b"\n")
    with contextlib.suppress(BrokenPipeError):
        out.flush()


def _messages(fps: float, start: float) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What is written: the video, frames with their pixels, the end."""
    import av

    av.logging.set_level(None)
    file = io.BufferedReader(io.FileIO(0))
    file.seek(0)
    head = file.read(200)
    file.seek(0)
    # The container is the one that its first bytes say, and it opens no other file: a playlist could name any.
    container = av.open(file, format=video_container(head), io_open=_refuse, metadata_errors="ignore")
    if not container.streams.video:
        raise PictureError("This file has no video, only sound. Choose another one.")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 2
    stream.codec_context.options = {"max_pixels": str(2 * MAX_PIXELS)}
    _check_frame(stream.width, stream.height)
    duration = (container.duration or 0) / 1e6
    yield {"duration": duration}, b""
    for time, frame in _sampled(container, stream, fps, start):
        _check_frame(frame.width, frame.height)
        scale = max(1.0, max(frame.width, frame.height) / LARGEST)
        width, height = max(1, round(frame.width / scale)), max(1, round(frame.height / scale))
        pixels = frame.to_ndarray(width=width, height=height, format="rgb24")
        told = {"time": time, "size": [width, height], "scale": scale, "rotation": frame.rotation}
        yield told, pixels.tobytes()
    yield {"end": True}, b""


def _sampled(container: Any, stream: Any, fps: float, start: float) -> Iterator[tuple[float, Any]]:
    """(time, frame) of the first frame in each of the `fps` parts of a second, times beginning at 0."""
    first = float((stream.start_time or 0) * stream.time_base)
    if start > 0:
        container.seek(int((start + first) * 1e6), backward=True)
    due, before, time = start, None, 0.0
    for frame in _decoded(container, stream):
        time = (frame.time - first) if frame.time is not None else time + 0.04
        if time < start:
            before = time, frame  # shown at `start`, unless the next one begins there
            continue
        if before is not None and time > start + 1e-6:
            yield before
            due = start + 1 / fps
        before = None
        if time + 1e-6 >= due:
            yield time, frame
            due = max(due + 1 / fps, time)
    if before is not None:
        yield before


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames in the order in which they are shown; damaged packets are left out, unless there is nothing else."""
    import av

    found, broken = 0, 0
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError:
            broken += 1
            if broken > 100 + found:
                raise
            continue
        for frame in decoded:
            found += 1
            yield frame
    if not found:
        raise PictureError(DAMAGED)


def _check_frame(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(f"The frames of this video have over {MAX_PIXELS // 10**6} megapixels. Save it smaller.")
    if min(width, height) < 8:
        raise PictureError("The frames of this video have less than 8 × 8 pixels.")


def _refuse(url: str, flags: int, options: dict) -> Any:
    raise PermissionError("A video may not open other files.")


if __name__ == "__main__":
    main()
