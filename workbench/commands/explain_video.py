"""`ferscope explain clip.mp4`: a CSV table with a row for each frame and face of a video, and an HTML report.

The report has a timeline of the probabilities of each face and a strip of its images. Frames are read, classified and
written one after another, and the report keeps a bounded number of them, so that an hour needs no more memory than a
minute.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from models.checkpoints import CheckpointError
from models.files import DiskFullError, written_at_once
from models.images import video_container
from models.tables import write_rows

from .. import faces, services
from ..markup import as_data, class_colors, jpeg, template
from ..services.video import Clip, Followed, Moment, Thinned
from .threads import shared_cores

_POINTS = 600  # of a timeline
_STRIP = 12  # images of a face
_TRACKS = 40  # faces in the report; the table has all
_SIDE = 96  # pixels of an image
_BOX = ("left", "top", "width", "height", "angle")


def is_video(path: Path) -> bool:
    """Whether a file is a video by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return video_container(file.read(200)) is not None


@dataclass
class Track:
    """What the report keeps of one face."""

    number: int
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    points: Thinned[tuple[float, list[float]]] = field(default_factory=lambda: Thinned(_POINTS))
    strip: Thinned[tuple[float, bytes]] = field(default_factory=lambda: Thinned(_STRIP))

    def add(self, time: float, found: Followed) -> None:
        """The face on the next frame."""
        self.first = self.first if self.count else time
        self.count, self.last = self.count + 1, time
        self.points.add((time, found.probabilities.tolist()))
        small = found.face.picture.copy()
        small.thumbnail((_SIDE, _SIDE))
        self.strip.add((time, jpeg(small)))


def write_report(clip: Path, out: Path, network: str, fps: float) -> tuple[int, int, int]:
    """Write the report to `out` and the table to the same name with .csv; both files appear at the end.

    Returns:
        Number of frames, of frames without a face, and of faces that were followed.

    Raises:
        PictureError: the video cannot be decoded; ValueError, CheckpointError, DiskFullError.
    """
    net = services.networks.open_network(network)
    tracks: dict[int, Track] = {}
    frames, faceless, number = 0, 0, 0
    with (
        shared_cores(),
        written_at_once(out) as page,
        written_at_once(out.with_suffix(".csv")) as table,
        Progress(TextColumn("Explaining"), BarColumn(), TextColumn("{task.fields[at]}"), TimeRemainingColumn()) as bar,
    ):
        task = bar.add_task("", total=None, at="")
        text = io.TextIOWrapper(table, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [["time", "frame", "track", *_BOX, "weights", "prediction", *net.classes]])
        for moment in services.video.follow(Clip(clip), network, fps):
            frames, faceless = frames + 1, faceless + (not moment.faces)
            write_rows(text, _rows(moment, frames, net))
            for found in moment.faces:
                number = max(number, found.track)
                tracks.setdefault(found.track, Track(found.track)).add(moment.time, found)
            _forget_short(tracks)
            bar.update(task, completed=moment.time, total=moment.duration or None, at=_clock(moment.time))
        shown = sorted(tracks.values(), key=lambda track: (-track.count, track.number))[:_TRACKS]
        of_fer2013 = net.card is not None and services.metrics.evaluation.is_of_fer2013(net.card)
        page.write(
            template("video_report.html")
            .render(
                net=net,
                of_fer2013=of_fer2013,
                name=clip.name,
                frames=frames,
                faceless=faceless,
                fps=f"{fps:g}",
                legend=list(zip(net.classes, class_colors(net.classes), strict=True)),
                tracks=[_section(track, net.classes) for track in shown],
                more=number - len(shown),
            )
            .encode()
        )
        text.detach()
    return frames, faceless, number


def _rows(moment: Moment, frame: int, net: services.networks.Network) -> list[list[Any]]:
    """A row for each face; one with track 0 and nothing else for a frame without a face."""
    time, weights = f"{moment.time:.3f}", "trained" if net.trained else "random"
    if not moment.faces:
        return [[time, frame, 0, *("" for _ in _BOX), weights, "", *("" for _ in net.classes)]]
    return [
        [
            time,
            frame,
            found.track,
            *(f"{getattr(found.box, side):.1f}" for side in _BOX),
            weights,
            net.classes[int(found.probabilities.argmax())],
            *(f"{share:.6f}" for share in found.probabilities.tolist()),
        ]
        for found in moment.faces
    ]


def _forget_short(tracks: dict[int, Track]) -> None:
    """Keep the faces of the report few: the older ones that are on few frames go."""
    while len(tracks) > 4 * _TRACKS:
        del tracks[min(tracks, key=lambda number: (tracks[number].count, number))]


_WIDTH, _HEIGHT = 860, 220  # pixels of a timeline


def _section(track: Track, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the template shows of a face: lines over time, a strip of images."""
    points = track.points.items
    span = max(track.last - track.first, 1e-6)
    x = [_WIDTH * (time - track.first) / span for time, _ in points]
    lines = [
        {
            "name": name,
            "color": color,
            "points": " ".join(
                f"{at:.1f},{_HEIGHT * (1 - shares[i]):.1f}" for at, (_, shares) in zip(x, points, strict=True)
            ),
        }
        for i, (name, color) in enumerate(zip(classes, class_colors(classes), strict=True))
    ]
    mean = [sum(shares[i] for _, shares in points) / len(points) for i in range(len(classes))]
    top = max(range(len(classes)), key=mean.__getitem__)
    return {
        "title": f"Face {track.number}: {track.count} frames, {_clock(track.first)} to {_clock(track.last)}",
        "summary": f"Highest mean probability: {classes[top]}, {100 * mean[top]:.0f} %.",
        "lines": lines,
        "ticks": [(_WIDTH * i / 4, _clock(track.first + span * i / 4)) for i in range(5)],
        "strip": [(as_data(data, "jpeg"), _clock(time)) for time, data in track.strip.items],
    }


def _clock(seconds: float) -> str:
    """A time in a video, such as 1:02.5."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def explain(given: tuple[Path, ...], out: Path, network: str, fps: float) -> None:
    """Explain one video; on an error, print one sentence and exit with status 1."""
    if len(given) > 1:
        sys.exit("Give one video, and nothing beside it: ferscope explain clip.mp4 --fps 5")
    if out.suffix.lower() not in (".html", ".htm"):
        sys.exit(f"--out {out}: the report is an HTML page; give a name that ends with .html")
    try:
        frames, faceless, number = write_report(given[0], out, network, fps)
    except (CheckpointError, DiskFullError, faces.PictureError, ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{out}, {out.with_suffix('.csv')}: frames: {frames}, without a face: {faceless}; faces followed: {number}")
    if not services.networks.open_network(network).trained:
        print(f"{network} has random weights: its predictions mean nothing.")
