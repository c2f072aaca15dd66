"""The results of the tab Live camera: each frame with the map over the face, as HTML."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from workbench.services.explain import Explanation
from workbench.services.video import Watch

from .. import faces, services
from ..analysis.overlay import overlay
from ..markup import as_data, bars, jpeg
from .responses import LARGEST, piece, trained


@dataclass
class Camera:
    """The state of one camera on the live tab: its faces, times of the last frames."""

    watch: Watch
    began: float = field(default_factory=time.monotonic)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=30))

    def frame(self, data: bytes) -> str:
        """The result for one frame: map over the face, bars, time and frame rate."""
        now = time.monotonic()
        picture = faces.decode(data)
        picture.thumbnail(LARGEST)
        found = self.watch.see(picture, now - self.began).main
        if found is None:
            shown, rows = picture, None
        else:
            result = services.explain(found.face, self.watch.network)
            shown, rows = _with_map(picture, found.box, result), bars(result.prediction)
        self.times.append(now)
        took = 1000 * (time.monotonic() - now)
        span = self.times[-1] - self.times[0]
        rate = f"{(len(self.times) - 1) / span:.0f}" if span > 0 else ""
        return piece("live", as_data(jpeg(shown), "jpeg"), f"{took:.0f}", rate, rows)


def live(data: bytes | None, camera: Camera | None, network: str, accepted: bool) -> tuple[str, Camera | None]:
    """The result for one frame of the camera; a sentence without consent or for an invalid frame."""
    if not accepted:
        return piece("message", "Accept the consent notice above first."), camera
    try:
        name = trained(network).name
        if camera is None or camera.watch.network != name:
            camera = Camera(Watch.live(name))
        return (camera.frame(data) if data else ""), camera
    except ValueError as error:
        return piece("message", str(error)), camera


def _with_map(picture: Image.Image, box: faces.Box, result: Explanation) -> Image.Image:
    shown = picture.copy()
    if result.layer is not None:
        side = max(1, round(box.side))
        over = Image.fromarray(overlay(result.pixels, result.map_of(result.class_))).resize((side, side))
        shown.paste(over, (round(box.left), round(box.top)))
    corners = [*box.corners, box.corners[0]]
    ImageDraw.Draw(shown).line(corners, fill="#D6336C", width=3)
    return shown
