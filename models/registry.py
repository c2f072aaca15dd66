"""Model registry: `@register_model` registers a builder under a name, `create_model` builds a network by name.

Everything that the rest of the project needs to know of a network is in its `ModelSpec`, so that no page or script
depends on a network's name.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .options import Option, check_options, options_of
from .outputs import logits_in

Builder = Callable[..., nn.Module]

PAPERS = {
    "A": "RARN: Lightweight Deep Residual Learning with Attention for Human Emotions Recognition",
    "B": "Convolutional Neural Networks for Emotion Classification (course project: hybrids with a transformer)",
    "C": "ResNet-50 with new convolution blocks for facial expressions, beside a vanilla and a residual CNN",
    "D": "Spatial Attention Network with High Frequency Component for Facial Expression Recognition (Kim and Jo)",
    "E": "Facial Expression Classification using Deep Learning (course project: multi-branch DSC-CBAM)",
}
"""The five papers by their letters."""


@dataclass(frozen=True)
class ModelSpec:
    """Properties of a network that are known without building it.

    Attributes:
        name: the name that `create_model` takes.
        paper: letter of the paper that proposes it or compares with it, "A" to "E"; empty for a user's own.
        title: a few words for a heading.
        builder: `builder(num_classes=..., **overrides)` returns the network; with `pretrained=...` where there are
            ImageNet weights.
        parameters: number of its trainable parameters with default options and seven classes; None: not stated.
        imagenet: whether there are ImageNet weights for it.
        input_size: default side in pixels of its square input.
        channels: number of channels of its input, 1 (gray) or 3 (RGB), where its option `channels` does not say
            otherwise.
        smallest_side: smallest side in pixels that its downsampling allows.
        stride: pixels from one position of its last map to the next; None if it resizes its input, so
            that its maps always have the same size.
        stages: the backbone, shallow to deep, each stage the names of its modules (for `get_submodule`). All other
            modules, attention among them, are the head, which always trains, also with frozen stages.
        cam_layer: the layer for class activation maps (a name for `get_submodule`); None if there is none.
        reshape: how the output of `cam_layer` is laid out, as `workbench.analysis.layouts.layout_of` takes it; empty:
            found by its shape.
        output: key, field or index of the logits where it returns a dict, dataclass or tuple; empty: the one tensor
            (B, num_classes) in it.
        composite: whether its members are checkpoints of their own, so that it has nothing to train.
        listed: whether `list_models` has it; one that only cards name, such as any network of timm, is not listed.
        attention_layers: its attention modules, in the order of the forward pass (names for `get_submodule`).
        attention: what kind of attention that is, e.g. "SVD" or "CBAM"; empty where there is none.
        class_branches: whether it has one branch for each class: `class_branches(x)` and `fuse(outputs)`.
        reported: the paper's own figures, e.g. {"validation accuracy": 0.681}, as fractions of 1.
        recipe: the name of its usual training recipe, where the caller names none.
        options: the arguments of its builder that a training run may set: `options_of` the class that it passes them on
            to, by default of the builder itself.
    """

    name: str
    paper: str
    title: str
    builder: Builder = field(repr=False)
    parameters: int | None = None
    imagenet: bool = True
    input_size: int = 48
    channels: int = 1
    smallest_side: int = 32
    stride: int | None = 8
    stages: tuple[tuple[str, ...], ...] = ()
    cam_layer: str | None = None
    reshape: str = ""
    output: str = ""
    composite: bool = False
    listed: bool = True
    attention_layers: tuple[str, ...] = ()
    attention: str = ""
    class_branches: bool = False
    reported: Mapping[str, float] = field(default_factory=dict, hash=False)
    recipe: str = "quick"
    options: tuple[Option, ...] = field(default=(), repr=False, hash=False)

    @property
    def inner_side(self) -> int | None:
        """Side in pixels to which it resizes each image inside, by default; None for a network that does not."""
        return next((o.default for o in self.options if o.name == "side"), None) if self.stride is None else None

    @property
    def smallest_training_side(self) -> int:
        """Smallest side in pixels whose last feature map has 2×2 positions; smaller inputs hardly train it."""
        return self.smallest_side if self.stride is None else max(self.smallest_side, 2 * self.stride)


_SPECS: dict[str, ModelSpec] = {}


def _specs() -> dict[str, ModelSpec]:
    """All of them; the first call imports `architectures`, whose files register their networks, then the user's own."""
    import_module(".architectures", __package__)
    import_module(".own_networks", __package__).load_all()
    return _SPECS


def networks_registered_by(run: Callable[[], object]) -> list[str]:
    """Names of the networks that a call registers; where it raises, none of them stays registered."""
    import_module(".architectures", __package__)  # first, so that their names are taken
    before = set(_SPECS)
    try:
        run()
    except BaseException:
        for name in _SPECS.keys() - before:
            del _SPECS[name]
        raise
    return sorted(_SPECS.keys() - before)


def channels_of(network: str, overrides: Mapping[str, Any]) -> int:
    """Channels of a network's input: 1 for gray, 3 for RGB."""
    spec = get_spec(network)
    declared = {option.name: option.default for option in spec.options} | dict(overrides)
    return declared.get("channels", spec.channels)


RESNET_STAGES = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
"""The stages of a ResNet, as torchvision and timm name its modules."""


def changed(network: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some arguments of a network's builder that are not its defaults anyway.

    Raises:
        ValueError: unknown network.
    """
    defaults = {option.name: option.default for option in get_spec(network).options}
    return {key: value for key, value in overrides.items() if key not in defaults or defaults[key] != value}


def check_overrides(network: str, overrides: Mapping[str, Any]) -> None:
    """Raise ValueError, in one sentence, where a network is unknown, has no such option, or allows no such value."""
    check_options(network, get_spec(network).options, overrides)


def within(parent: str, stages: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The same stages, of a network that is the module `parent` of another."""
    return tuple(tuple(f"{parent}.{name}" for name in stage) for stage in stages)


def numbered(parent: str, *starts: int) -> tuple[tuple[str, ...], ...]:
    """Stages of a `Sequential`: each begins at one of `starts` and ends before the next; the last start is the end."""
    return within(parent, tuple(tuple(map(str, range(a, b))) for a, b in itertools.pairwise(starts)))


def register_model(
    name: str,
    *,
    paper: str = "",
    title: str = "",
    reported: dict[str, float] | None = None,
    options: tuple[Option, ...] | None = None,
    **spec: Any,
) -> Callable[[Builder], Builder]:
    """Decorate a builder to register it under `name`.

    Args:
        name: the name that `create_model` takes.
        paper: letter of the paper that proposes the network or compares with it; empty for a user's own.
        title: a few words for a heading; empty: the name.
        reported: the paper's own figures, as fractions of 1.
        options: the arguments of the builder that a training may set; None: those of its signature (`options_of`).
        **spec: further fields of `ModelSpec`, such as `parameters` and `cam_layer`.

    Returns:
        A decorator that returns the builder unchanged.

    Raises:
        ValueError: the name is taken; raised when the builder is decorated.
    """

    def decorate(builder: Builder) -> Builder:
        if name in _SPECS:
            raise ValueError(f'name="{name}" is already registered by {_SPECS[name].builder.__module__}')
        figures = MappingProxyType(dict(reported or {}))
        own = options_of(builder) if options is None else options
        _SPECS[name] = ModelSpec(
            name=name, paper=paper, title=title or name, builder=builder, reported=figures, options=own, **spec
        )
        return builder

    return decorate


def get_spec(name: str) -> ModelSpec:
    """The `ModelSpec` of a network; an unknown name raises ValueError with the three nearest names."""
    if name not in _specs():
        near = difflib.get_close_matches(name, _SPECS, n=3, cutoff=0.0)
        raise ValueError(f'name="{name}" is not a network. The nearest names: {", ".join(near)}')
    return _SPECS[name]


def list_models(paper: str | None = None) -> list[str]:
    """Sorted names of all networks, or of those of one paper ("A" to "E")."""
    return sorted(name for name, spec in _specs().items() if spec.listed and paper in (None, spec.paper))


def create_model(name: str, num_classes: int = 7, pretrained: bool = False, **overrides: Any) -> nn.Module:
    """Build a network.

    Args:
        name: one of `list_models()`.
        num_classes: number of logits.
        pretrained: start from ImageNet weights; ValueError for a network that has none.
        **overrides: values of `get_spec(name).options`, e.g. `width=36`; ValueError for any other.

    Returns:
        A module in training mode that maps normalized images `(B, channels, H, W)` to logits `(B, num_classes)`.
        Other input raises ValueError, and so does a single image in training mode where
        batch norm would have nothing to compare it with.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 2 classes")
    spec = get_spec(name)
    if pretrained and not spec.imagenet:
        raise ValueError(f'pretrained=True: "{name}" has no ImageNet weights; use pretrained=False and train it')
    check_overrides(name, overrides)
    begin = {"pretrained": pretrained} if spec.imagenet else {}
    model = spec.builder(num_classes=num_classes, **begin, **overrides)
    channels = channels_of(name, overrides)
    model.register_forward_pre_hook(partial(_check_input, channels, spec.smallest_side))
    model.register_forward_hook(partial(_logits_only, num_classes, spec.output))
    return model


def take_output(model: nn.Module, num_classes: int, output: str) -> None:
    """Let a network return the tensor of this key, field or index of what it returns, whatever its spec says."""
    model.register_forward_hook(partial(_logits_only, num_classes, output), prepend=True)


def _logits_only(classes: int, output: str, _model: nn.Module, _inputs: tuple, returned: Any) -> Any:
    """Replace what a network returns by its logits, where it returns more than one tensor."""
    return returned if isinstance(returned, Tensor) else logits_in(returned, classes, output)


def _check_input(channels: int, smallest: int, model: nn.Module, inputs: tuple) -> None:
    x = inputs[0]
    if x.ndim != 4 or x.shape[1] != channels:
        kind = "gray images (B, 1, H, W), one channel each" if channels == 1 else f"images (B, {channels}, H, W)"
        raise ValueError(f"x has shape {tuple(x.shape)}: give {kind}")
    if min(x.shape[-2:]) < smallest:
        raise ValueError(f"x has shape {tuple(x.shape)}: height and width must be at least {smallest} pixels")
    if model.training and len(x) == 1 and any(isinstance(m, _BatchNorm) and m.training for m in model.modules()):
        raise ValueError("x holds one image: batch norm in training mode needs two or more; or call model.eval()")
