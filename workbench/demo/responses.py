"""The results of the public demo as HTML and PNG files; `page.py` puts them on the page.

Only trained networks are available. Invalid requests raise ValueError with a message for the visitor.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw
from torch import Tensor

from models import list_models, own_networks
from models.text import signed
from workbench.services.explain import Explanation

from .. import faces, services
from ..analysis.cam import METHODS, resize
from ..analysis.methods import EXPLAINERS
from ..analysis.overlay import overlay, png
from ..markup import as_data, bars, jpeg, percent, render

SIDE = 288  # pixels, of an image in the result
LARGEST = (1600, 1600)  # pixels of an image in which faces are detected
SHOWN = (480, 480)  # pixels of an image that is kept for a visitor
NO_FACE = "No face was found. What is shown is computed for the center of the image, and means nothing about a face."
PREDICTED = "predicted class"  # the class of the map, unless another one is chosen


@dataclass(frozen=True, eq=False)
class Seen:
    """A visitor's image with its faces, kept while they use it.

    Attributes:
        picture: upright, RGB, resized to at most `SHOWN` pixels a side.
        scale: factor from the boxes' coordinates to those of `picture`.
        boxes: detected faces, largest first.
        faces: each of them, cropped; the center of the image if none was detected.
        notes: sentences on what was left out while it was decoded.
    """

    picture: Image.Image
    scale: float
    boxes: tuple[faces.Box, ...]
    faces: tuple[faces.Face, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, picture: Image.Image, boxes: tuple[faces.Box, ...]) -> Seen:
        """Crop the faces of an image, and resize it."""
        shown = picture.copy()
        shown.thumbnail(SHOWN)
        cut = tuple(faces.crop(picture, box) for box in boxes or (faces.whole(picture),))
        return cls(shown, shown.width / picture.width, boxes, cut, faces.notes(picture))

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return sum(3 * p.width * p.height for p in (self.picture, *(face.picture for face in self.faces)))

    def face(self, number: int) -> faces.Face:
        """The face of this index, clipped to the valid range."""
        return self.faces[min(max(number, 0), len(self.faces) - 1)]


def networks() -> list[tuple[str, str]]:
    """(title, name) of the networks that have trained weights, those that the owner has added among them."""
    names = (*services.networks.network_names(), *own_networks.remembered().checkpoints)
    return [(services.networks.get_spec(name).title, name) for name in names if services.networks.is_trained(name)]


def trained(name: str) -> services.networks.Network:
    """A network of `networks()` by name, never by path, since anybody may call this.

    Raises:
        ValueError: it is not listed; the message names those that are. CheckpointError: its checkpoint is damaged.
    """
    name, listed = str(name)[:60], [listed for _, listed in networks()]
    if name in list_models() and name not in listed:
        raise ValueError(f"{name} has no trained weights here. Choose one of: {', '.join(listed)}.")
    if name not in listed:
        raise ValueError(f'"{name}" is not a network of this demo. Choose one of: {", ".join(listed)}.')
    return services.networks.open_network(name)


def seen(data: bytes | None) -> Seen:
    """Decode an image and detect faces; ValueError with a message for the visitor if that fails."""
    if data is None:
        raise ValueError("No image yet. Choose a sample, upload an image or take a photo.")
    picture = faces.decode(data)
    picture.thumbnail(LARGEST)
    return Seen.of(picture, tuple(faces.detect_or_whole(picture)))


def sample(name: str) -> Seen:
    """One of the faces that come with the demo."""
    face, picture = faces.load_sample(name), faces.sample_picture(name)
    return Seen.of(picture, (face.box or faces.whole(picture),))


def thumbnail(name: str) -> Image.Image:
    """The face of a sample, small."""
    face = faces.load_sample(name).picture.copy()
    face.thumbnail((96, 96))
    return face


def explained(face: faces.Face, network: str, class_: str) -> Explanation:
    """`services.explain` for a trained network; ValueError with a message for the visitor if the class is unknown."""
    net = trained(network)
    return services.explain(face, net.name, None if class_ in ("", None, PREDICTED) else str(class_))


def overlaid(explanation: Explanation, method: str) -> bytes:
    """The map over the face as a PNG file; the face alone for a network without maps."""
    if method not in METHODS:
        raise ValueError(f'method="{method}" is not known; there are: {", ".join(METHODS)}')
    if explanation.layer is None:
        return _gray(explanation.pixels)
    maps = explanation.maps(method)
    heat = explanation.map_of(explanation.class_, method)
    return png(overlay(explanation.pixels, heat, top=float(maps.max())), SIDE)


def note(explanation: Explanation, method: str) -> str:
    """Two sentences: what is seen, and what it does not prove."""
    predicted = explanation.prediction.predicted
    share = percent(float(explanation.prediction.probabilities.max()))
    text = f"Prediction: {predicted} ({share}), the label that annotators would probably give this face."
    if explanation.layer is None:
        return f"{text} The network has no layer of its own, so there is no map."
    if float(explanation.map_of(explanation.class_, method).max()) == 0:
        return f"{text} The map for {explanation.class_} is blank, which is not evidence of anything."
    return (
        f"{text} Brighter: stronger evidence for {explanation.class_} in layer {explanation.layer}; it does not prove "
        "that these pixels caused the prediction."
    )


def probabilities(prediction: services.prediction.Prediction) -> dict[str, float]:
    """Class → calibrated probability."""
    return dict(zip(prediction.classes, prediction.probabilities.tolist(), strict=True))


def predict(image: bytes | None, network: str = services.networks.DEFAULT_NETWORK) -> dict[str, float]:
    """The prediction of a network for the largest face of an image: class → calibrated probability.

    An image of at most 64 pixels a side, or one that a face fills, is taken as a cropped face.

    Raises:
        ValueError: no face is found, the image cannot be read, or the network is unknown; with a message to show.
    """
    return probabilities(services.predict(_largest(image), trained(network).name))


def explain(
    image: bytes | None, network: str = services.networks.DEFAULT_NETWORK, class_: str = "", method: str = METHODS[0]
) -> tuple:
    """The map of a class over the face as a PNG file, the probabilities, and two sentences; class_="": the predicted
    class."""
    result = explained(_largest(image), network, class_)
    return overlaid(result, method), probabilities(result.prediction), note(result, method)


def _largest(image: bytes | None) -> faces.Face:
    found = seen(image)
    if not found.boxes:
        raise ValueError("No face was found in this image. Send one with a face, or a square crop of the face.")
    return found.face(0)


def attention_maps(explanation: Explanation) -> str:
    """The spatial attention maps of the network, as a strip of images."""
    size = explanation.pixels.shape
    spatial = (m for m in explanation.attention if m.spatial)
    weights = ((f"{m.title}, {m.layer}", resize(m.values[0].clamp_min(0), size)) for m in spatial)
    figures = [_figure(png(overlay(explanation.pixels, values), SIDE), title) for title, values in weights]
    return piece("attention_maps", figures)


def frequencies(explanation: Explanation) -> str:
    """The face and its high- and low-frequency components, as a strip of images."""
    parts = explanation.frequencies
    titles = {"original": parts.original, "high frequencies: edges": parts.high, "low frequencies: shapes": parts.low}
    return piece("frequencies", [_figure(_gray(pixels), title) for title, pixels in titles.items()])


def boxed(found: Seen, number: int) -> str:
    """The image with a box around each face, the chosen one thicker."""
    shown, scale = found.picture.copy(), found.scale
    draw = ImageDraw.Draw(shown)
    for i, box in enumerate(found.boxes):
        corners = [(x * scale, y * scale) for x, y in box.corners]
        draw.line([*corners, corners[0]], fill="#D6336C", width=6 if i == number else 2, joint="curve")
        if len(found.boxes) > 1:
            draw.text(corners[0], f" {i + 1}", fill="#D6336C", font_size=24, stroke_width=3, stroke_fill="white")
    return piece("boxed", as_data(jpeg(shown), "jpeg"), bool(found.boxes), found.notes)


def explain_tab(found: Seen, number: int, network: str, class_: str, method: str) -> tuple:
    """Everything on the tab Explain: boxed image, map, sentences, bars, attention maps, frequencies."""
    result = explained(found.face(number or 0), network, class_)
    heat = as_data(overlaid(result, method))  # it refuses an unknown method
    alt = f"{EXPLAINERS[method].title} for {result.class_} over the face" if result.layer else "The face, without a map"
    over = piece("map_over_face", as_data(_gray(result.pixels)), heat, alt)
    text = f"**{note(result, method) if found.boxes else NO_FACE}**"
    probabilities = render("pieces.html", "bars", bars(result.prediction))
    return boxed(found, number or 0), over, text, probabilities, attention_maps(result), frequencies(result)


def compare_tab(found: Seen, number: int, first: str, second: str, class_: str) -> tuple[str, str, str]:
    """Everything on the tab Compare: a sentence, then map and bars of each network."""
    class_ = None if class_ == PREDICTED else class_
    result = services.compare(found.face(number or 0), (trained(first).name, trained(second).name), class_)
    predicted = [e.prediction.predicted for e in result.explanations]
    verdict = f"Both predict {predicted[0]}." if result.agree else f"They disagree: {predicted[0]} and {predicted[1]}."
    likeness = float(result.correlation[0, 1])
    mapless = [name for name, e in zip(result.networks, result.explanations, strict=True) if e.layer is None]
    if mapless:
        alike = f"{' and '.join(mapless)} has no layer of its own, so there is no map."
    elif likeness != likeness:
        alike = f"**For {result.class_}, one map is blank.**"
    else:
        alike = f"**Spearman correlation of the maps for {result.class_}: {signed(likeness, 2)}** (1: same order)."
    text = f"**{verdict}** {alike} Agreement does not prove that they are right."
    text = text if found.boxes else f"**{NO_FACE}** {text}"
    cards = [
        piece(
            "compared",
            as_data(overlaid(e, METHODS[0])),
            (f"Grad-CAM for {result.class_}, " if e.layer else "No map, ") + services.networks.get_spec(name).title,
            bars(e.prediction),
        )
        for name, e in zip(result.networks, result.explanations, strict=True)
    ]
    return text, *cards


def _gray(pixels: Tensor) -> bytes:
    return png((255 * pixels.clamp(0, 1)).round().byte().numpy(), SIDE)


def _figure(picture: bytes, title: str) -> tuple[str, str]:
    return as_data(picture), title


def piece(macro: str, *args: object) -> str:
    """A macro of the demo's template."""
    return render("demo.html", macro, *args)
