"""The page of the public demo: layout and event wiring.

It is small, since anybody may use it: a face, two networks, a camera, and two API functions (/predict, /explain).
`responses.py` computes what it shows, `components.py` has its components, `server/consent.py` the consent notice, and
`gradio_app.py` serves it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.images import TITLES

from .. import faces, services
from ..analysis.cam import METHODS
from ..server.consent import ACCEPT, LIMITS, notice, where_pictures_go
from . import camera, choices, responses
from .components import COVER, NAME_SAMPLES, SHOW_OWN, SHOW_RESULT, Pictures, gr, picture, result, with_errors
from .uploads import KEPT_SECONDS, MAX_SENT, MIB, Uploads

if TYPE_CHECKING:
    from gradio.events import Dependency

OWN_IMAGE = "Your own image"
"""Label of the component that takes a visitor's image."""

LIVE_SECONDS = 180  # then the camera stops until a click, so that others get a turn
CAMERA = gr.WebcamOptions(mirror=True, constraints={"video": {"width": 320, "height": 240, "facingMode": "user"}})


@dataclass(frozen=True)
class Options:
    """How a demo is served.

    Attributes:
        shared: whether a public link was requested; changes the consent notice.
        samples_only: no camera and no upload.
        host_names: names under which it is reached, besides those of this computer.
        framed_by: origin of the page that may embed it, such as "https://example.org"; None: no page.
    """

    shared: bool = False
    samples_only: bool = False
    host_names: tuple[str, ...] = ()
    framed_by: str | None = None


# ---- API functions


def api_functions(uploads: Uploads) -> None:
    """Define the two functions that `gradio_client` and other programs call."""
    with gr.Row(visible=False):
        sent = picture(uploads, label=f"Image with a face ({TITLES}), up to {MAX_SENT // MIB} MB")
        network = gr.Textbox(services.networks.DEFAULT_NETWORK, label="Name of a network")
        class_ = gr.Textbox("", label="Class of the map; empty: the predicted class")
        method = gr.Textbox(METHODS[0], label=f"Method of the map: {', '.join(METHODS)}")
        shares, text = gr.JSON(label="Class: probability"), gr.Textbox(label="What is seen, and what it does not prove")
        over = result(uploads, label="The map over the face", format="png")
        gr.Button().click(with_errors(responses.predict), [sent, network], shares, api_name="predict")
        gr.Button().click(
            with_errors(responses.explain), [sent, network, class_, method], [over, shares, text], api_name="explain"
        )


# ---- the page

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
CONSENT = "Use your own image: consent notice"
CONSENT_GIVEN = "Your own image: consent given"
EMPTY = "No result. Choose a sample face, or use your own image."


def build(
    options: Options,
    tunnelled: Callable[[], bool] | None = None,
    uploads: Uploads | None = None,
    pictures: Pictures | None = None,
) -> gr.Blocks:
    """Build the page of the demo.

    Args:
        options: how it is served.
        tunnelled: whether a public link exists, called at each page load for the consent notice.
        uploads: the uploaded files.
        pictures: the images of visitors.
    """
    tunnelled = tunnelled or (lambda: options.shared)
    uploads, pictures = uploads or Uploads(Path.cwd()), pictures or Pictures()
    with gr.Blocks(title="FERScope", analytics_enabled=False, delete_cache=(60, KEPT_SECONDS)) as page:
        gr.Markdown("# FERScope\nWhich image regions support the prediction?", elem_classes="title")
        limits, whole = _texts(options, tunnelled)
        words = {}
        seen = gr.State(None, time_to_live=KEPT_SECONDS)
        number = gr.State(0)
        accepted = None
        if not options.samples_only:
            accepted, words[1] = _consent(whole)
        with gr.Tab("Explain"):
            tab = _explain_tab(seen, number, accepted, uploads, pictures)
        with gr.Tab("Compare"):
            _compare_tab(seen, number, pictures)
        if accepted:
            with gr.Tab("Live camera"):
                _live_tab(accepted, uploads)
            api_functions(uploads)
        words[0] = gr.Markdown(limits)
        page.load(lambda: {words[i]: _texts(options, tunnelled)[i] for i in words}, None, list(words.values()), **QUIET)
        opened = page.load(partial(_open_sample, faces.samples()[0].name), None, tab.face, api_visibility="private")
        tab.show(opened.success, show_progress="full")
        opened.then(None, js=NAME_SAMPLES, **QUIET)
    page.queue(max_size=32, default_concurrency_limit=2, api_open=False)
    return page


def _texts(options: Options, tunnelled: Callable[[], bool]) -> tuple[str, str]:
    """The text at the end of the page, and the whole consent notice."""
    where = "Only sample faces are used here." if options.samples_only else where_pictures_go(tunnelled())
    return f"{LIMITS} {where}", notice(tunnelled())


def _consent(text: str) -> tuple[gr.Checkbox, gr.Markdown]:
    """The consent notice, which folds away once it is accepted: its checkbox and its text."""
    with gr.Accordion(CONSENT, open=False) as folded:
        whole = gr.Markdown(text)
        accepted = gr.Checkbox(label=ACCEPT, value=False)
    accepted.input(lambda yes: gr.Accordion(CONSENT_GIVEN if yes else CONSENT, open=not yes), accepted, folded, **QUIET)
    return accepted, whole


@dataclass(frozen=True)
class ExplainTab:
    """Components of the tab Explain that other parts of the page use.

    Attributes:
        face: changed when a face is chosen.
        inputs: inputs of `responses.explain_tab`.
        outputs: outputs of `responses.explain_tab`.
        pictures: the images of visitors.
    """

    face: list[gr.components.Component]
    inputs: list[gr.components.Component]
    outputs: list[gr.components.Component]
    pictures: Pictures

    def show(self, listener: Callable, **settings: Any) -> None:
        """Compute the tab whenever a listener fires, such as `event.success`; after an error it is empty."""
        function = with_errors(self.pictures.given(responses.explain_tab))
        _empty_after_error(listener(function, self.inputs, self.outputs, **QUIET | settings), self.outputs)


def _empty_after_error(event: Dependency, outputs: list[gr.components.Component]) -> None:
    """Empty components when a function failed, so that no result of another face or network stays."""
    empty = [EMPTY if isinstance(output, gr.Markdown) else None for output in outputs]
    event.failure(lambda: empty, None, outputs, **QUIET)


def _explain_tab(
    seen: gr.State, number: gr.State, accepted: gr.Checkbox | None, uploads: Uploads, pictures: Pictures
) -> ExplainTab:
    with gr.Row():
        with gr.Column(scale=5, min_width=300, elem_classes="result"):  # first on a phone, where columns are stacked
            with gr.Row():
                with gr.Column(min_width=280):
                    over = gr.HTML(label="Map over the face", js_on_load=COVER)
                with gr.Column(min_width=280):
                    text = gr.Markdown()
                    bars = gr.HTML(label="Probability of each class")
            chosen = gr.HTML(label="Image", elem_classes="whole")
        with gr.Column(scale=4, min_width=300):
            gallery = _gallery()
            if accepted:
                with gr.Column(visible=False, elem_classes="own") as place:
                    own = picture(uploads, label=OWN_IMAGE, sources=["upload", "webcam", "clipboard"], height=200)
            which = gr.Radio([], label="Face", type="index", visible=False)
            network, class_, method = choices.choices()
    with gr.Accordion("Attention maps", open=False):
        attention = gr.HTML()
    with gr.Accordion("High and low frequencies", open=False):
        frequencies = gr.HTML()
    tab = ExplainTab(
        face=[seen, number, which],
        inputs=[seen, number, network, class_, method],
        outputs=[chosen, over, text, bars, attention, frequencies],
        pictures=pictures,
    )
    tab.show(partial(gr.on, [class_.input, method.input], trigger_mode="always_last"))
    offered = choices.offer_classes(class_, network)
    _empty_after_error(offered, tab.outputs)
    tab.show(offered.success)
    tab.show(gallery.select(with_errors(_chosen_sample), None, tab.face, api_visibility="private").success)
    tab.show(which.input(lambda i: i or 0, which, number, api_visibility="private").success)
    if accepted:
        kept = own.input(with_errors(_own(pictures)), [own, accepted], tab.face, api_visibility="private")
        kept.failure(lambda: (None, 0, gr.Radio(visible=False)), None, tab.face, **QUIET)
        _empty_after_error(kept, tab.outputs)
        tab.show(kept.success)
        kept.success(None, js=SHOW_RESULT, **QUIET)
        accepted.input(lambda yes: gr.Column(visible=yes), accepted, place, **QUIET).then(None, js=SHOW_OWN, **QUIET)
    return tab


def _gallery() -> gr.Gallery:
    """The sample faces."""
    gallery = gr.Gallery(
        [(responses.thumbnail(s.name), s.title.split(" (")[0].removeprefix("Drawn face: ")) for s in faces.samples()],
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
    gr.Markdown("Two photographs and drawn faces, named by the expression that was drawn; predictions may differ.")
    return gallery


def _open_sample(name: str) -> tuple:
    return Pictures.sample(name), 0, gr.Radio(visible=False)


def _chosen_sample(event: gr.SelectData) -> tuple:
    return _open_sample(faces.samples()[event.index].name)


def _own(pictures: Pictures) -> Callable:
    """An event handler that stores a visitor's image and lets them choose one of its faces."""

    def keep(data: bytes | None, accepted: bool, request: gr.Request) -> tuple:
        if not accepted:
            raise ValueError("Read the consent notice above and accept it first.")
        found = responses.seen(data)
        many = [f"Face {i + 1}" for i in range(len(found.boxes))]
        radio = gr.Radio(many, value=many[0] if many else None, visible=len(many) > 1)
        return pictures.keep(found, request), 0, radio

    return keep


def _compare_tab(seen: gr.State, number: gr.State, pictures: Pictures) -> None:
    with gr.Row():
        first, second, class_ = choices.network("First network"), choices.network("Second network", 1), choices.class_()
    button = gr.Button("Compare on the face of the tab Explain", variant="primary")
    text = gr.Markdown()
    with gr.Row():
        cards = [gr.HTML(min_width=300, elem_classes="card") for _ in range(2)]
    function, outputs = with_errors(pictures.given(responses.compare_tab)), [text, *cards]
    offered = choices.offer_classes(class_, first, second)
    _empty_after_error(offered, outputs)
    for listener in (partial(gr.on, [button.click, class_.input]), offered.success):
        compared = listener(function, [seen, number, first, second, class_], outputs, api_visibility="private")
        _empty_after_error(compared, outputs)


def _live_tab(accepted: gr.Checkbox, uploads: Uploads) -> None:
    hint = gr.Markdown("Accept the consent notice above to use the camera.")
    state = gr.State(None, time_to_live=KEPT_SECONDS)
    with gr.Row(visible=False) as row:
        with gr.Column(scale=1, min_width=300):
            frames = picture(
                uploads,
                label="Camera (Record starts it; frames are not stored)",
                sources="webcam",
                streaming=True,
                webcam_options=CAMERA,
                height=280,
                format="jpeg",
            )
            network = choices.network()
        with gr.Column(scale=1, min_width=300):
            shown = gr.HTML()
    # A newer frame replaces one that waits, so no queue builds up; after `LIVE_SECONDS` the camera stops.
    frames.stream(
        camera.live,
        [frames, state, network, accepted],
        [shown, state],
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
