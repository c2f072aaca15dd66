"""Running a method of the catalog on a network that others use meanwhile, and how long that will take."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .. import cam
from ..activations import forward_from, plain_modes
from ..model_isolation import shared_copy_of
from ..validation import class_index, no_influence, require_images, require_logits, require_size
from .case import CHUNK, Case
from .catalog import EXPLAINERS
from .explainer import Explainer

Progress = Callable[[int, int], None]


def explain_with(
    model: nn.Module,
    x: Tensor,
    name: str,
    class_: int,
    layer: str | None = None,
    size: Sequence[int] | None = None,
    progress: Progress | None = None,
    reshape: str = "",
) -> Float[Tensor, "B h w"]:
    """The map of one explainer for one class.

    Each call works on a copy of the network that shares its weights, so that other threads may explain and predict
    meanwhile; the network itself is locked only while the copy is made.

    Args:
        model: any network (B, C_in, H, W) → logits (B, number of classes), in training or evaluation mode; it comes
            back as it was.
        x: images (B, C_in, H, W), prepared as the network expects them, so that 0 is a plain gray.
        name: one of EXPLAINERS.
        class_: index of the class. The map of an explainer without `of_class` is the same for all.
        layer: target layer of the explainers with `needs_layer`: a submodule whose output has feature maps. The others
            ignore it.
        size: (height, width) of the map, resized bilinearly. None: the layer's, or the image's where none is needed.
        progress: called with the number of passes done and of all; what it raises ends the call.
        reshape: how the output of the layer is laid out, see `layouts`; empty: found by its shape.

    Returns:
        Maps (B, h, w), without a graph, each method on a scale of its own; at least 0 unless the explainer is `signed`.
        In float32 (float64 for a float64 network).

    Raises:
        ValueError: an argument is wrong, or the layer has no map to offer; the message names the argument.
    """
    explainer = _checked(name, x, layer)
    require_size(size)
    with plain_modes(x.device):
        case = _case(explainer, model, x, layer, class_, reshape)
        channels = None if case.activation is None else case.activation.shape[1]
        total = explainer.passes(channels, tuple(x.shape[-2:])).forward
        with _counted(case, total, progress) if progress else nullcontext():
            maps = explainer.run(case)  # (B, h, w)
        if not bool(maps.isfinite().all()):
            raise ValueError(
                f'name="{name}" gives NaN or infinite values on this network. Choose another method or layer.'
            )
        maps = maps if explainer.signed else maps.relu()
        return maps if size is None else cam.resize(maps, size)


def estimate(model: nn.Module, x: Tensor, name: str, layer: str | None = None, reshape: str = "") -> float:
    """Seconds that `explain_with` will take, roughly: one timed forward pass times the number of passes.

    A backward pass counts as much as a forward pass, since no weight needs a gradient. Decompositions are not counted.
    Arguments and errors as for `explain_with`.
    """
    explainer = _checked(name, x, layer)
    with plain_modes(x.device):
        case = _case(explainer, model, x, layer, 0, reshape)
        channels = None if case.activation is None else case.activation.shape[1]
        forward, backward = explainer.passes(channels, tuple(x.shape[-2:]))
        images = min(max(CHUNK, len(x)), forward * len(x))  # batch size of the method
        batch = case.x[:1].repeat(images, 1, 1, 1)
        _wait(x)
        start = time.perf_counter()
        case.model(batch)
        _wait(x)
        return (time.perf_counter() - start) / images * len(x) * (forward + backward)


def _checked(name: str, x: Tensor, layer: str | None) -> Explainer:
    if name not in EXPLAINERS:
        near = difflib.get_close_matches(str(name), EXPLAINERS, n=3, cutoff=0.0)
        raise ValueError(f'name="{name}" is no explainer. The nearest names: {", ".join(near)}')
    require_images(x)
    if EXPLAINERS[name].needs_layer and layer is None:
        raise ValueError(f"layer=None: {name} reads the maps of a layer. Give the name of a convolutional one.")
    return EXPLAINERS[name]


def _case(explainer: Explainer, model: nn.Module, x: Tensor, layer: str | None, class_: int, reshape: str = "") -> Case:
    """The copy, and its logits for the images."""
    double = shared_copy_of(model)
    x = x.clone() if x.is_inference() else x.detach()
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if explainer.needs_layer and layer is not None:
        found = forward_from(double, x, layer, reshape)
        A, layout, logits = found.A, found.layout, require_logits(found.logits, x)
        if not logits.requires_grad:  # the weights are frozen, so a graph can only come from A
            raise no_influence(layer)
    else:
        A, layout, logits = None, None, require_logits(double(x), x)
    index = class_index(class_, logits.shape[1])
    with torch.enable_grad():
        return Case(double, x, index, logits, logits[:, index], layer or "", A, layout)


@contextmanager
def _counted(case: Case, total: int, progress: Progress) -> Iterator[None]:
    """Report every call of the copy to `progress`; the first pass is done."""
    images = len(case.x)

    def count(_module: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        nonlocal images
        if inputs[0].is_meta:  # a copy that computes shapes
            return
        images += len(inputs[0])
        progress(images // len(case.x), total)

    progress(1, total)
    with case.model.register_forward_hook(count):
        yield


def _wait(x: Tensor) -> None:
    """Wait for the device: GPU calls are asynchronous."""
    if x.device.type != "cpu":
        torch.accelerator.synchronize(x.device)
