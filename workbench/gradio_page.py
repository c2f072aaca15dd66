"""The page of the public demo: what stands where, and what sets what going. The one file that imports Gradio.

Strangers use it, so it is small: a face, two networks, a camera, and two functions for programmes (/predict, /explain).
`demo.py` computes what it shows, `notice.py` holds what a visitor is told, `gradio_app.py` serves it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

# Read while Gradio is imported: nothing is reported to anybody.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from gradio.data_classes import ImageData

from models.checkpoints import CheckpointError

from . import demo, faces, services
from .analysis.cam import METHODS
from .analysis.methods import EXPLAINERS
from .markup import as_data
from .notice import ACCEPT, LIMITS, notice, where_pictures_go

KEPT_SECONDS = 780  # of uploads and visitors' pictures, looked through every minute: gone within a quarter of an hour
LIVE_SECONDS = 180  # then the camera waits for a click, so that others come to it
CAMERA = gr.WebcamOptions(mirror=True, constraints={"video": {"width": 320, "height": 240, "facingMode": "user"}})
STYLE = """
.bar {display: grid; grid-template-columns: 5.5em 1fr 3.5em; gap: .5em; align-items: center; font-size: 1.05em}
.bar i {height: 1em; border: 1px solid var(--border-color-primary)} .bar span:last-child {text-align: right}
.strip {display: flex; flex-wrap: wrap; gap: 1em} .strip figure {margin: 0; max-width: 190px; font-size: .9em}
.strip img, .card img {width: 190px; image-rendering: pixelated} .card img {width: 288px}
.samples, .samples .grid-wrap {height: auto !important; max-height: none; min-height: 0}
.samples .grid-container {grid-template-columns: repeat(auto-fill, minmax(54px, 1fr)) !important; gap: 6px;
  max-width: 740px}
.samples .thumbnail-item {height: auto; aspect-ratio: auto; display: block}
.samples .thumbnail-item img {aspect-ratio: 1; height: auto}
.samples .caption-label {position: static; max-width: none; padding: 1px 0; border: 0; white-space: normal;
  text-align: center; font-size: .75em; line-height: 1.2}
input[role="listbox"] {padding-right: 1.8em; text-overflow: ellipsis}
@media (max-width: 640px) {.whole img {max-height: 150px; margin: auto}}
.slider {max-width: 300px} .live img {width: 100%; max-width: 360px}
"""
PINE = gr.themes.Color(  # the accent of the workbench, from light to dark
    *("#F0FBF8", "#D3F7EC", "#99F2DC", "#6FDCC3", "#45BFA6", "#26947F", "#12504B", "#0F4541", "#0C3A37", "#092F2C"),
    "#06211F",
)
THEME = gr.themes.Base(
    primary_hue=PINE,
    secondary_hue=PINE,
    font=("system-ui", "sans-serif"),
    font_mono=("monospace",),
)


@dataclass(frozen=True)
class Options:
    """How a demo is served.

    Attributes:
        shared: whether a public link was asked for, which decides what visitors are told.
        samples_only: no camera and no upload.
    """

    shared: bool = False
    samples_only: bool = False


def picture(**settings: Any) -> gr.Image:
    """An image component that hands over the file as it came: `faces.read` decodes it, and looks before it does.

    Methods of one object are replaced, because Gradio writes a file beside the source of each class of components. It
    makes such an object anew when one of its properties is changed for a visitor: hide and show what is round it.
    """
    component = gr.Image(**settings)
    component.preprocess = _as_sent
    component.example_payload = lambda: gr.FileData(path="face.jpg", orig_name="face.jpg").model_dump()
    return component


def _as_sent(payload: ImageData | None) -> bytes | None:
    """The bytes of an uploaded file, or of a camera's frame."""
    if payload is None:
        return None
    if payload.url and payload.url.startswith("data:"):
        return base64.b64decode(payload.url.partition(",")[2])
    return Path(payload.path).read_bytes() if payload.path else None


def slider(**settings: Any) -> gr.ImageSlider:
    """An image slider whose two PNG files are part of the answer, so that no file of a visitor's face is written."""
    component = gr.ImageSlider(**settings)
    component.postprocess = lambda pair: (
        pair and component.data_model(root=tuple(ImageData(url=as_data(png)) for png in pair))
    )
    return component


def told(function: Callable) -> Callable:
    """A function whose sentences for the visitor reach him; of anything else he learns only that it failed."""

    @wraps(function)
    def asked(*args):
        try:
            return function(*args)
        except CheckpointError as error:
            raise gr.Error("The weights of this network cannot be read.", print_exception=False) from error
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return asked


# ---- for programmes


def programmes() -> None:
    """The two functions that `gradio_client` and other programmes call."""
    with gr.Row(visible=False):
        sent = picture(label="A JPEG, PNG or WebP picture with a face, up to 5 MB")
        network = gr.Textbox(services.DEFAULT_NETWORK, label="Name of a network")
        class_ = gr.Textbox("", label="Class of the map; empty: the network's answer")
        method = gr.Textbox(METHODS[0], label=f"Method of the map: {', '.join(METHODS)}")
        shares, text = gr.JSON(label="Class: probability"), gr.Textbox(label="What is seen, and what it does not prove")
        over = gr.Image(label="The map over the face", format="png")
        gr.Button().click(told(demo.predict), [sent, network], shares, api_name="predict")
        gr.Button().click(told(demo.explain), [sent, network, class_, method], [over, shares, text], api_name="explain")


# ---- the page


def build(options: Options, tunnelled: Callable[[], bool] | None = None) -> gr.Blocks:
    """The page of the demo; `tunnelled` says at each opening whether a public link exists, which visitors are told."""
    tunnelled = tunnelled or (lambda: options.shared)
    with gr.Blocks(title="FERScope", analytics_enabled=False, delete_cache=(60, KEPT_SECONDS)) as page:
        gr.Markdown("# What in the picture carried the decision?")
        first, whole = _told(options, tunnelled)
        words = [gr.Markdown(first)]
        seen = gr.State(None, time_to_live=KEPT_SECONDS)
        number = gr.State(0)
        accepted = None
        if not options.samples_only:
            with gr.Accordion("To use your own face, read this first", open=False):
                words.append(gr.Markdown(whole))
                accepted = gr.Checkbox(label=ACCEPT, value=False)
        with gr.Tab("Explain"):
            asked = _explain_tab(seen, number, accepted)
        with gr.Tab("Compare"):
            _compare_tab(seen, number)
        if accepted:
            with gr.Tab("Live camera"):
                _live_tab(accepted)
            programmes()
        page.load(
            lambda: dict(zip(words, _told(options, tunnelled), strict=False)),
            outputs=words,
            show_progress="hidden",
            api_visibility="private",
        )
        page.load(
            told(partial(_open_sample, faces.samples()[0].name)), None, asked.face, api_visibility="private"
        ).then(told(demo.answer), asked.inputs, asked.outputs, api_visibility="private")
    page.queue(max_size=32, default_concurrency_limit=2, api_open=False)
    return page


def _told(options: Options, tunnelled: Callable[[], bool]) -> tuple[str, str]:
    """What stands above the fold, and the whole notice."""
    where = "Only sample faces are used here." if options.samples_only else where_pictures_go(tunnelled())
    return f"{LIMITS} {where}", notice(tunnelled())


@dataclass(frozen=True)
class Asked:
    """The parts of the tab Explain that other parts of the page set going.

    Attributes:
        face: what choosing a face changes.
        inputs: of `demo.answer`; outputs: what it fills.
    """

    face: list[gr.components.Component]
    inputs: list[gr.components.Component]
    outputs: list[gr.components.Component]


def _explain_tab(seen: gr.State, number: gr.State, accepted: gr.Checkbox | None) -> Asked:
    gallery = gr.Gallery(
        [(demo.thumbnail(s.name), s.title.split(" (")[0].removeprefix("Drawn face: ")) for s in faces.samples()],
        label="Sample faces",
        show_label=False,
        columns=len(faces.samples()),
        height=116,
        allow_preview=False,
        interactive=False,
        format="png",
        buttons=[],
        elem_classes="samples",
    )
    gr.Markdown("Two photographs, and faces drawn to look as they are called: a network may answer otherwise.")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            if accepted:
                with gr.Column(visible=False) as place:
                    own = picture(label="Your own picture", sources=["upload", "webcam", "clipboard"], height=200)
            chosen = gr.HTML(label="The picture", elem_classes="whole")
            which = gr.Radio([], label="Which face?", type="index", visible=False)
        with gr.Column(scale=5, min_width=300):
            network, class_, method = _choices()
            with gr.Row():
                over = slider(label="Without and with the map", height=280, min_width=280, elem_classes="slider")
                with gr.Column(min_width=280):
                    bars = gr.HTML(label="Probability of each class")
                    text = gr.Markdown()
    with gr.Accordion("What did the network's own attention let through?", open=False):
        attention = gr.HTML()
    with gr.Accordion("Is it the wrinkles or the shape?", open=False):
        waves = gr.HTML()

    asked = Asked(
        face=[seen, number, which],
        inputs=[seen, number, network, class_, method],
        outputs=[chosen, over, text, bars, attention, waves],
    )
    gr.on([control.input for control in (network, class_, method)], trigger_mode="always_last", **_again(asked))
    gallery.select(told(_chosen_sample), None, asked.face, api_visibility="private").then(**_again(asked))
    which.input(lambda i: i or 0, which, number, api_visibility="private").then(**_again(asked))
    if accepted:
        own.input(told(_own), [own, accepted], asked.face, api_visibility="private").success(**_again(asked))
        accepted.input(lambda yes: gr.Column(visible=yes), accepted, place, api_visibility="private")
    return asked


def _choices() -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown]:
    methods = [(EXPLAINERS[name].title, name) for name in METHODS]
    with gr.Row():
        return _network(), _class(), gr.Dropdown(methods, value=METHODS[0], label="Method")


def _network(label: str = "Network", place: int = 0) -> gr.Dropdown:
    """The trained networks; at first the one in this place among those with maps, the default network or the last."""
    known = demo.networks()
    mapped = [name for _, name in known if services.get_spec(name).cam_layer]
    return gr.Dropdown(known, value=mapped[min(place, len(mapped) - 1)], label=label, min_width=240)


def _class() -> gr.Dropdown:
    classes = [demo.ITS_ANSWER, *services.open_network(services.DEFAULT_NETWORK).classes]
    return gr.Dropdown(classes, value=demo.ITS_ANSWER, label="Map for the class")


def _again(asked: Asked) -> dict:
    """What asks the network once more."""
    return {
        "fn": told(demo.answer),
        "inputs": asked.inputs,
        "outputs": asked.outputs,
        "show_progress": "hidden",
        "api_visibility": "private",
    }


def _open_sample(name: str) -> tuple:
    return demo.sample(name), 0, gr.Radio(visible=False)


def _chosen_sample(event: gr.SelectData) -> tuple:
    return _open_sample(faces.samples()[event.index].name)


def _own(data: bytes | None, accepted: bool) -> tuple:
    """A visitor's picture, and the choice among its faces."""
    if not accepted:
        raise ValueError("Read the notice above and accept it first.")
    found = demo.seen(data)
    many = [f"Face {i + 1}" for i in range(len(found.boxes))]
    return found, 0, gr.Radio(many, value=many[0] if many else None, visible=len(many) > 1)


def _compare_tab(seen: gr.State, number: gr.State) -> None:
    with gr.Row():
        first, second, class_ = _network("One network"), _network("Another network", 1), _class()
    button = gr.Button("Compare them on the face that is chosen on the tab Explain", variant="primary")
    text = gr.Markdown()
    with gr.Row():
        cards = [gr.HTML(min_width=300, elem_classes="card") for _ in range(2)]
    gr.on(
        [button.click, first.input, second.input, class_.input],
        told(demo.compared),
        [seen, number, first, second, class_],
        [text, *cards],
        api_visibility="private",
    )


def _live_tab(accepted: gr.Checkbox) -> None:
    hint = gr.Markdown("Open the notice above and accept it; then the camera appears here.")
    watch = gr.State(None, time_to_live=KEPT_SECONDS)
    with gr.Row(visible=False) as row:
        with gr.Column(scale=1, min_width=300):
            camera = picture(
                label="Camera: Record starts it, and nothing is kept",
                sources="webcam",
                streaming=True,
                webcam_options=CAMERA,
                height=280,
                format="jpeg",
            )
            network = _network()
        with gr.Column(scale=1, min_width=300):
            shown = gr.HTML()
    # A newer frame takes the place of one that waits, so nothing queues up; after a while the camera stops by itself.
    camera.stream(
        demo.live,
        [camera, watch, network, accepted],
        [shown, watch],
        stream_every=0.05,
        time_limit=LIVE_SECONDS,
        concurrency_limit=2,
        show_progress="hidden",
        api_visibility="private",
    )
    accepted.input(
        lambda yes: (gr.Row(visible=yes), gr.Markdown(visible=not yes)),
        accepted,
        [row, hint],
        api_visibility="private",
    )
