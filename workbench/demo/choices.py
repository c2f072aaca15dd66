"""The choices of the demo: network, class and method, as dropdowns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import services
from ..analysis.cam import METHODS
from ..analysis.methods import EXPLAINERS
from . import responses
from .components import gr, with_errors  # it sets what Gradio reads when it is imported

if TYPE_CHECKING:
    from gradio.events import Dependency


def choices() -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown]:
    """Network, class of the map and method, in a row."""
    methods = [(EXPLAINERS[name].title, name) for name in METHODS]
    with gr.Row():
        return network(), class_(), gr.Dropdown(methods, value=METHODS[0], label="Method")


def network(label: str = "Network", place: int = 0) -> gr.Dropdown:
    """The trained networks; `place` is the index of the default among those with maps."""
    known = responses.networks()
    mapped = [name for _, name in known if services.networks.get_spec(name).cam_layer]
    return gr.Dropdown(known, value=mapped[min(place, len(mapped) - 1)], label=label, min_width=240)


def class_() -> gr.Dropdown:
    """The class of the map: the predicted one, or one of the default network; see `offer_classes`."""
    classes = [responses.PREDICTED, *services.networks.open_network(services.networks.DEFAULT_NETWORK).classes]
    return gr.Dropdown(classes, value=responses.PREDICTED, label="Map for the class")


def offer_classes(class_: gr.Dropdown, *networks: gr.Dropdown) -> Dependency:
    """Offer the classes that all of the chosen networks have, whenever one is chosen."""

    def offered(class_: str, *names: str) -> gr.Dropdown:
        shared = shared_classes(names)
        return gr.Dropdown([responses.PREDICTED, *shared], value=class_ if class_ in shared else responses.PREDICTED)

    return gr.on(
        [network.input for network in networks],
        with_errors(offered),
        [class_, *networks],
        class_,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )


def shared_classes(names: Sequence[str]) -> tuple[str, ...]:
    """The classes that all of some networks have, in the order of the first; errors as for `responses.trained`."""
    first, *others = (responses.trained(name).classes for name in names)
    return tuple(class_ for class_ in first if all(class_ in classes for classes in others))
