"""Theme and components of the public demo's page, and the images of visitors: in memory, bounded, for minutes."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

# Read while Gradio is imported: no telemetry, and no table of all requests for each request.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"

import gradio as gr
from gradio.data_classes import ImageData

from models.checkpoints import CheckpointError

from ..server.bounded import BoundedStore, Limits
from . import responses
from .uploads import GONE, KEPT_SECONDS, MIB, SCHEME, Uploads

STYLE = """
.bar {display: grid; grid-template-columns: 5.5em 1fr 3.5em; gap: .5em; align-items: center; font-size: 1.05em}
.bar i {height: 1em; border: 1px solid var(--border-color-primary)} .bar span:last-child {text-align: right}
.strip {display: flex; flex-wrap: wrap; gap: 1em} .strip figure {margin: 0; max-width: 190px; font-size: .9em}
.strip img, .card img {width: 190px; image-rendering: pixelated} .card img {width: 288px}
.samples, .samples .grid-wrap {height: auto !important; max-height: none; min-height: 0}
.samples .grid-container {grid-template-columns: repeat(auto-fill, minmax(50px, 1fr)) !important; gap: 5px;
  max-width: 740px; grid-template-rows: none !important; grid-auto-rows: auto !important}
.samples .thumbnail-item {height: auto; aspect-ratio: auto; display: block}
.samples .thumbnail-item img {aspect-ratio: 1; height: auto}
.samples .caption-label {position: static; max-width: none; padding: 1px 0; border: 0; white-space: normal;
  text-align: center; font-size: .68em; line-height: 1.2}
input[role="combobox"] {padding-right: 1.8em; text-overflow: ellipsis}
.whole img {max-height: 240px}
.map {max-width: 288px} .map div {position: relative} .map img {width: 100%; image-rendering: pixelated}
.map img + img {position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--shown, 100%)) 0 0)}
.map label {display: flex; gap: .6em; align-items: center} .map input {flex: 1; accent-color: var(--primary-600)}
.dark .map input {accent-color: var(--primary-400)}
footer .show-api, .own .or {color: var(--body-text-color) !important}
.gradio-container {--color-accent: var(--primary-600)} .dark .gradio-container {--color-accent: var(--primary-400)}
.live img {width: 100%; max-width: 360px}
@media (prefers-reduced-motion: reduce) {*, ::before, ::after {animation-duration: 1ms !important;
  animation-iteration-count: 1 !important; transition-duration: 1ms !important; scroll-behavior: auto !important}}
"""
COVER = """element.addEventListener('input', (event) =>
  event.target.closest('.map')?.style.setProperty('--shown', event.target.value + '%'))"""
"""JavaScript of the map over the face: its slider uncovers the face."""
SHOW_OWN = "() => {setTimeout(() => document.querySelector('.own button')?.focus(), 100)}"
"""JavaScript that leads to the upload of an own image, which is further down on a phone."""
NAME_SAMPLES = """() => {document.querySelectorAll('.samples button').forEach((button) =>
  button.setAttribute('aria-label', 'Sample face: ' + button.innerText))}"""
"""JavaScript that names the buttons of the sample faces, which Gradio only numbers."""
SHOW_RESULT = "() => {document.querySelector('.result')?.scrollIntoView({block: 'nearest'})}"
"""JavaScript that leads back to the map."""
PINE = gr.themes.Color(  # the accent of the workbench, from light to dark
    *("#F0FBF8", "#D3F7EC", "#99F2DC", "#6FDCC3", "#45BFA6", "#26947F", "#12504B", "#0F4541", "#0C3A37", "#092F2C"),
    "#06211F",
)
THEME = gr.themes.Base(
    primary_hue=PINE,
    secondary_hue=PINE,
    font=("system-ui", "sans-serif"),
    font_mono=("monospace",),
).set(button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700")
PICTURES = Limits(total=64 * MIB, share=12 * MIB, seconds=KEPT_SECONDS)
NO_FACE = "No face is chosen, or it was deleted. Choose a sample, upload an image or take a photo."


class Pictures:
    """The images of visitors. The state of a page has only a key, so that sessions stay small."""

    def __init__(self) -> None:
        self.store: BoundedStore[responses.Seen] = BoundedStore(PICTURES)

    @staticmethod
    def sample(name: str) -> str:
        """The key of a sample face."""
        return f"sample {name}"

    def keep(self, found: responses.Seen, request: gr.Request) -> str:
        """Store a visitor's image and return its key; older ones are deleted if there is no room."""
        owner, many = request.request.scope.get("visitor", (str(request.session_hash), False))
        key = secrets.token_hex(16)
        if not self.store.put(key, found, owner, found.size, share=PICTURES.total if many else None):
            raise ValueError("There are too many faces in this image. Crop it and upload a part.")
        return key

    def find(self, key: str | None) -> responses.Seen:
        """The image of a key; ValueError with a message for the visitor if it was deleted."""
        if key is None:
            raise ValueError(NO_FACE)
        if key.startswith("sample "):
            return responses.sample(key.removeprefix("sample "))
        found = self.store.get(key)
        if found is None:
            raise ValueError(GONE)
        return found

    def given(self, function: Callable) -> Callable:
        """Wrap a function of an image as a function of its key."""

        @wraps(function)
        def of_key(key: str | None, *args):
            return function(self.find(key), *args)

        return of_key


class GradioQueue:
    """Gradio's internal state of the sessions of a page, for which it has no public names."""

    def __init__(self, page: gr.Blocks):
        self._page, self._queue = page, page._queue

    def unread(self, session: str) -> int:
        """Number of messages waiting for the client of a session."""
        waiting = self._queue.pending_messages_per_session.get(session)
        return waiting.qsize() if waiting else 0

    def pending(self, owner: str) -> int:
        """Number of requests of a visitor waiting for a network."""
        queues = self._queue.event_queue_per_concurrency_id.values()
        return sum(event.request.scope.get("visitor", ("",))[0] == owner for queue in queues for event in queue.queue)

    async def forget(self, session: str) -> None:
        """Delete everything of a session: requests, unfetched results, state."""
        await self._queue.clean_events(session_hash=session)
        self._queue.pending_messages_per_session.pop(session, None)
        self._queue.pending_event_ids_session.pop(session, None)
        with self._page.state_holder.lock:
            self._page.state_holder.session_data.pop(session, None)
            self._page.state_holder.time_last_used.pop(session, None)


def picture(uploads: Uploads, **settings: Any) -> gr.Image:
    """An image component that passes the file on undecoded: `faces.read` checks and decodes it.

    Methods of one object are replaced, since Gradio writes a file beside the source of each component class. Gradio
    creates the object again when one of its properties changes for a visitor: hide and show its container instead.
    """
    component = gr.Image(**settings)
    component.preprocess = partial(_as_sent, uploads)
    component.example_payload = lambda: gr.FileData(path="face.jpg", orig_name="face.jpg").model_dump()
    return component


def _as_sent(uploads: Uploads, payload: ImageData | None) -> bytes | None:
    """The bytes of an uploaded file or a camera frame."""
    if payload is None:
        return None
    try:
        if payload.url and payload.url.startswith(SCHEME):
            return uploads.bytes_of(payload.url)
        if payload.url and payload.url.startswith("data:"):
            return base64.b64decode(payload.url.partition(",")[2])
        return Path(payload.path).read_bytes() if payload.path else None
    except ValueError as error:
        raise error_of(str(error)) from error


def result(uploads: Uploads, **settings: Any) -> gr.Image:
    """An image component for a PNG file that clients fetch from memory, so that no face is written to disk."""
    component = gr.Image(**settings)
    component.postprocess = lambda data: data and ImageData(path=uploads.add_result(data, "map.png"))
    component.async_move_resource_to_block_cache = _where_it_is
    return component


async def _where_it_is(path: str | None) -> str | None:
    return path


def error_of(sentence: str) -> gr.Error:
    """A message to the visitor that stays until they close it."""
    return gr.Error(sentence, duration=None, print_exception=False)


def with_errors(function: Callable) -> Callable:
    """Wrap a function so that visitors see the message of a ValueError, and of other errors only that it failed."""

    @wraps(function)
    def wrapped(*args):
        try:
            return function(*args)
        except CheckpointError as error:
            raise error_of("The weights of this network cannot be read.") from error
        except ValueError as error:
            raise error_of(str(error)) from error

    return wrapped
