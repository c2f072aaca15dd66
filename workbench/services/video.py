"""Predictions for the faces of a video or a camera over time."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from time import monotonic
from typing import Generic, TypeVar

import torch
from PIL import Image, ImageFilter
from torch import Tensor

from models.inference import for_inference

from .. import faces
from ..decoders.video import Clip, frame_at, frames
from ..faces import Box, Face
from ..faces.tracking import LIVE, Follower
from ..faces.tracks import Tracks
from .explain import Explanation, explain
from .networks import DEFAULT_NETWORK, Network, open_network

__all__ = [
    "Clip",
    "Followed",
    "Moment",
    "MomentExplained",
    "Thinned",
    "Timeline",
    "Watch",
    "at",
    "follow",
    "sample_clip",
]


@dataclass(frozen=True, eq=False)
class Followed:
    """A face on one frame.

    Attributes:
        track: number of the face, the same on all frames on which it is followed; 1 is the first one found.
        box: box of the face in pixels of the video, upright.
        face: the crop.
        probabilities: probabilities of the classes, as in `services.predict`, (K,).
    """

    track: int
    box: Box
    face: Face
    probabilities: Tensor


@dataclass(frozen=True, eq=False)
class Moment:
    """What one frame shows.

    Attributes:
        time: time in seconds from the start.
        faces: those found on the frame, largest first; () where there are none.
        duration: duration of the whole video in seconds; 0 where it is not known, as with a camera.
    """

    time: float
    faces: tuple[Followed, ...]
    duration: float = 0.0

    @property
    def main(self) -> Followed | None:
        """The face that has been followed longest; None where no face is found."""
        return min(self.faces, key=lambda one: one.track, default=None)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Probabilities over time.

    Attributes:
        classes: names of the classes.
        moments: (time, {track: probabilities (K,)}) of each frame, in order, without images.
        duration: duration of the video in seconds.
    """

    classes: tuple[str, ...]
    moments: tuple[tuple[float, dict[int, Tensor]], ...] = ()
    duration: float = 0.0

    @property
    def tracks(self) -> tuple[int, ...]:
        """Numbers of the faces, the one on most frames first."""
        counts: dict[int, int] = {}
        for _, found in self.moments:
            for track in found:
                counts[track] = counts.get(track, 0) + 1
        return tuple(sorted(counts, key=lambda track: (-counts[track], track)))

    @property
    def end(self) -> float:
        """Time of the last frame in seconds; 0 before the first one."""
        return self.moments[-1][0] if self.moments else 0.0

    def of(self, track: int) -> tuple[list[float], Tensor]:
        """Times (N) and probabilities (N, K) of one face."""
        rows = [(time, found[track]) for time, found in self.moments if track in found]
        return [time for time, _ in rows], torch.stack([p for _, p in rows]) if rows else torch.empty(
            0, len(self.classes)
        )

    def after(self, moment: Moment, most: int | None = None) -> Timeline:
        """This timeline with one more frame; with `most`, only the last so many frames are kept."""
        found = {one.track: one.probabilities for one in moment.faces}
        moments = (*self.moments, (moment.time, found))
        return replace(self, moments=moments if most is None else moments[-most:], duration=moment.duration)


@dataclass
class Watch:
    """What is known of one video or camera while its frames arrive: the faces that are followed.

    Attributes:
        network: name of a network.
        follower: finds the faces of each frame; `Watch.live` has one that is quick enough for a camera.
        tracks: numbers them.
    """

    network: str = DEFAULT_NETWORK
    follower: Follower = field(default_factory=Follower)
    tracks: Tracks = field(default_factory=Tracks)
    _opened: Network | None = field(default=None, init=False, repr=False)
    _until: float = field(default=-math.inf, init=False, repr=False)

    @classmethod
    def live(cls, network: str = DEFAULT_NETWORK) -> Watch:
        """A watch for a camera: a new face is found within a second, and a known one is looked for where it was."""
        return cls(network, Follower(LIVE))

    def see(self, picture: Image.Image, time: float, scale: float = 1.0, duration: float = 0.0) -> Moment:
        """Detect, follow and classify the faces of the next frame.

        Args:
            picture: the frame, RGB.
            time: time in seconds, larger than that of the frame before.
            scale: factor by which boxes are multiplied.
            duration: duration of the video in seconds.
        """
        boxes = self.follower.find(picture, time)
        numbers = self.tracks.update(boxes, time)
        crops = [faces.crop(picture, box) for box in boxes]
        found = zip(numbers, boxes, crops, _probabilities(crops, self._open()), strict=True)
        followed = (Followed(n, box.scaled(scale), face, shares) for n, box, face, shares in found)
        return Moment(time, tuple(followed), duration)

    def _open(self) -> Network:
        """The network, for inference alone; its files are looked at once a second, not for each frame."""
        now = monotonic()
        if self._opened is None or now >= self._until:
            self._opened, self._until = _for_inference(open_network(self.network)), now + 1
        return self._opened


def follow(
    clip: Clip, network: str = DEFAULT_NETWORK, fps: float = 5.0, start: float = 0.0, watch: Watch | None = None
) -> Iterator[Moment]:
    """Predictions for every face of a video, frame after frame; memory does not grow with its length.

    Args:
        clip: the video.
        network: name of a network.
        fps: frames analyzed per second, over 0 and at most 60.
        start: time in seconds at which to begin, to continue an analysis.
        watch: what is known of the frames before `start`, so that faces keep their numbers; by default nothing.

    Raises:
        ValueError: unknown network, or `fps` out of range. PictureError: the video cannot be decoded.
    """
    if not 0 < fps <= 60:
        raise ValueError(f"{fps:g} frames a second cannot be analyzed. Give a number over 0 and at most 60.")
    open_network(network)
    watch = watch or Watch(network)
    for frame in frames(clip, fps, start):
        yield watch.see(frame.picture, frame.time, frame.scale, frame.duration)


@dataclass(frozen=True, eq=False)
class MomentExplained:
    """One frame with the explanation of one of its faces.

    Attributes:
        time: time of the frame in seconds.
        picture: the frame.
        box: box of the face on `picture`; None where no face is found.
        explanation: explanation of that face; None where no face is found.
    """

    time: float
    picture: Image.Image
    box: Box | None
    explanation: Explanation | None


def at(
    clip: Clip, time: float, network: str = DEFAULT_NETWORK, near: Box | None = None, class_: str | None = None
) -> MomentExplained:
    """Explain the face on the frame that is shown at a time.

    Args:
        clip, network: the video and the name of the network, as for `follow`.
        time: time in seconds.
        near: box of the face in pixels of the video; by default the largest face.
        class_: target class; by default the predicted one.
    """
    frame = frame_at(clip, time)
    boxes = faces.detect_or_whole(frame.picture)
    if not boxes:
        return MomentExplained(frame.time, frame.picture, None, None)
    box = boxes[0]
    if near is not None:
        (x, y), s = near.center, frame.scale
        box = min(boxes, key=lambda one: (one.center[0] * s - x) ** 2 + (one.center[1] * s - y) ** 2)
    return MomentExplained(frame.time, frame.picture, box, explain(faces.crop(frame.picture, box), network, class_))


@cache
def sample_clip() -> Clip:
    """A clip of three seconds that needs no upload: a photograph that is rotated, and blurred in the middle."""
    import av

    photograph, buffer = faces.sample_picture("astronaut"), io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *photograph.size, "yuv420p", 3_000_000
        for i in range(30):
            turned = photograph.rotate(24 * math.sin(i / 5), Image.Resampling.BILINEAR, center=(222, 120))
            blurred = turned.filter(ImageFilter.GaussianBlur(max(0.0, 7 - abs(i - 15))))
            file.mux(stream.encode(av.VideoFrame.from_image(blurred)))
        file.mux(stream.encode())
    return Clip(buffer.getvalue())


@lru_cache(maxsize=2)
def _for_inference(net: Network) -> Network:
    """The network with the copy of its model that is quickest; one for all visitors."""
    x = torch.randn(1, net.channels, net.input_size, net.input_size, generator=torch.Generator().manual_seed(0))
    return replace(net, model=for_inference(net.model, x))


def _probabilities(crops: list[Face], net: Network) -> Tensor:
    """Calibrated probabilities of several faces in one forward pass, (B, K)."""
    if not crops:
        return torch.empty(0, len(net.classes))
    pixels = torch.stack([net.pixels(face) for face in crops])
    return net.calibrated(net.logits(net.normalized(pixels)))


T = TypeVar("T")


@dataclass
class Thinned(Generic[T]):
    """Evenly spaced items of a stream of unknown length, at most `most`: when full, every second one is dropped."""

    most: int
    items: list[T] = field(default_factory=list)
    _step: int = 1
    _seen: int = 0

    def add(self, item: T) -> None:
        """Offer the next item."""
        if self._seen % self._step == 0:
            self.items.append(item)
        self._seen += 1
        if len(self.items) > self.most:
            self.items = self.items[::2]
            self._step *= 2
