"""The explainers: what each one does, what it costs, what it does not prove, and one function that runs any of them.

    EXPLAINERS["scorecam"].passes(256, (48, 48))    how often the network is asked, known beforehand
    estimate(model, x, "scorecam", "stage3")        … in seconds
    explain_with(model, x, "scorecam", 3, "stage3") the map

Three kinds: gradient methods read activations and gradients of one layer (the six of `cam` and their kin), methods that
try out ask the network again and again with something taken away, and methods of the picture need no layer.

Symbols as in `cam`: A activations (B, K, h, w), G = ∂y^c/∂A (B, K, h, w), y^c the logit of class c, Z = h·w.

From pytorch-grad-cam 1.5.7 the formulas come, not the machinery around them: it records the calls of every thread,
changes the network, and stretches each map to 0..1, which hides how strong it is. Not in the catalogue:

    GradCAM, GradCAMPlusPlus, XGradCAM, HiResCAM, LayerCAM, GradCAMElementWise   the six of `cam`, under our names
    ablation_cam_multilayer    the older form of AblationCAM
    RefineCAM                  multiplies the maps of several layers; here a map belongs to one
    SESS                       asks about enlarged patches; a patch of a face is not a face
    DeepFeatureFactorization   several maps without a class
    GuidedBackpropReLUModel    knows ReLU modules only, and hardly depends on the weights (Adebayo et al. 2018)
    sobel_cam                  an edge filter; it asks no network

The libraries are imported at the first use, because that takes seconds.
"""

from __future__ import annotations

import copy
import difflib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from types import ModuleType, SimpleNamespace
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from . import cam
from .borrow import borrowed
from .checks import class_index, no_influence, require_logits, require_pictures, require_size, require_weights

Progress = Callable[[int, int], None]

_CHUNK = 16  # pictures in one call of the network: more take memory, fewer take time
_STEPS = 50  # of the path of integrated gradients, captum's default
_KPCA_POSITIONS = 64 * 64  # it compares every position with every other


class Passes(NamedTuple):
    """How often a batch goes through the network: `forward`, and `backward` for gradients."""

    forward: int
    backward: int


@dataclass(frozen=True, eq=False)
class _Case:
    """What a method is given: a network of its own, which it may hook and change, and one forward pass of it.

    `logits` are (B, number of classes), y those of the class, (B,). With a layer, both lead back to A (B, K, h, w).
    """

    model: nn.Module
    x: Tensor
    class_: int
    logits: Tensor
    y: Tensor
    layer: str | None = None
    A: Tensor | None = None

    def gradient(self, score: Tensor | None = None, create_graph: bool = False) -> Tensor:
        """G = ∂score/∂A (B, K, h, w), for a score of each picture, (B,); None: the logit of the class."""
        score = self.y if score is None else score
        return torch.autograd.grad(score, self.A, torch.ones_like(score), create_graph=create_graph)[0]

    def weighted(self, weights: np.ndarray | Tensor) -> Tensor:
        """Σ_k w_k A^k of weights (B, K): (B, h, w)."""
        A = self.A.detach()
        return torch.einsum("bk,bkhw->bhw", torch.as_tensor(weights).to(A), A)

    @property
    def maps(self) -> np.ndarray:
        """A for a library that reads NumPy."""
        return self.A.detach().cpu().numpy()


# ---- methods that read activations and gradients once


def _cam(method: str, case: _Case) -> Tensor:
    return cam.join(method, case.A.detach(), case.gradient()[:, None])[:, 0]


def _finercam(case: _Case) -> Tensor:
    """The target is Σ_d p_d (y^c − y^d) / Σ_d p_d over the three classes d with the logits nearest to y^c."""
    from pytorch_grad_cam.utils.model_targets import FinerWeightedTarget

    distance = (case.logits - case.y[:, None]).abs().detach()
    distance[:, case.class_] = -1  # first in the order, also where another class has the same logit
    rivals = distance.argsort(1)[:, 1:4].tolist()  # (B, ≤ 3)
    if not rivals[0]:
        raise ValueError("model has one class: finercam compares with others. Choose another method.")
    with torch.enable_grad():
        targets = [FinerWeightedTarget(case.class_, others, 1) for others in rivals]
        score = torch.stack([target(y) for target, y in zip(targets, case.logits, strict=True)])  # (B,)
    return cam.join("gradcam", case.A.detach(), case.gradient(score)[:, None])[:, 0]


def _shapleycam(case: _Case) -> Tensor:
    """The score is the paper's, y^c + log p^c; y^c alone is often linear behind the layer, which leaves Grad-CAM."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST

    engine = _library().ShapleyCAM(case.model, [])
    try:
        with torch.enable_grad():
            G = case.gradient(ClassifierOutputReST(case.class_)(case.logits), create_graph=True)
            return case.weighted(engine.get_cam_weights(case.x, None, None, case.A, G))
    except RuntimeError as error:
        if "derivative" not in str(error) and "differentiate" not in str(error):
            raise
        raise ValueError(
            f'layer="{case.layer}": shapleycam needs second derivatives, and something behind this layer has none '
            f"({error}). Choose a layer behind it, or another method."
        ) from error


def _eigencam(case: _Case) -> Tensor:
    return _first_component(case.A.detach())


def _eigengradcam(case: _Case) -> Tensor:
    return _first_component(case.gradient() * case.A.detach())


def _segeigencam(case: _Case) -> Tensor:
    """Its own rule for the sign (eq. 13): the larger extreme is positive."""
    projection = _first_component(case.gradient().abs() * case.A.detach())
    turned = projection.amin((1, 2)).abs() > projection.amax((1, 2)).abs()
    return torch.where(turned[:, None, None], -projection, projection)


def _kpcacam(case: _Case) -> Tensor:
    from sklearn.decomposition import KernelPCA

    h, w = case.A.shape[-2:]
    if h * w > _KPCA_POSITIONS:
        raise ValueError(
            f'layer="{case.layer}" has maps of {h}×{w}, and kpcacam compares every position with every other. '
            "Choose a deeper layer, with maps of at most 64×64."
        )
    rows = case.A.detach().flatten(2).mT  # (B, Z, K)  each position's K activations
    rows = (rows - rows.mean(1, keepdim=True)).cpu().numpy()
    # With a fixed seed, because its solver would start from NumPy's global one; a dead layer would give rounding.
    kpca = KernelPCA(1, kernel="sigmoid", random_state=0)
    found = [kpca.fit_transform(picture) if picture.any() else np.zeros((h * w, 1)) for picture in rows]  # (Z, 1) each
    return _with_sign(torch.as_tensor(np.stack(found)).to(case.A).view(-1, h, w), case.A.detach())


def _fem(case: _Case) -> Tensor:
    found = _library().FEM(case.model, []).get_cam_image(case.x, None, None, case.maps, None, False)
    return torch.as_tensor(found).to(case.A)


def _randomcam(case: _Case) -> Tensor:
    """Weights uniform in −1..1, from a generator of its own: NumPy's global one would give each call another map."""
    weights = torch.rand(case.A.shape[1], generator=torch.Generator().manual_seed(0)) * 2 - 1
    return case.weighted(weights.expand(len(case.x), -1))


def _first_component(F: Tensor) -> Tensor:
    """Each position's coordinate on the first principal component of its K values: (B, K, h, w) → (B, h, w).

    As `get_2d_projection` of pytorch-grad-cam, but with the thin decomposition: the full one needs Z² numbers.
    """
    centred = F.flatten(2) - F.flatten(2).mean(-1, keepdim=True)  # (B, K, Z)
    _, sigma, vh = torch.linalg.svd(centred, full_matrices=False)  # (B, n), (B, n, Z)
    return _with_sign((sigma[:, :1] * vh[:, 0]).view(len(F), *F.shape[-2:]), F)


def _with_sign(projection: Tensor, F: Tensor) -> Tensor:
    """The sign of a component is up to the linear-algebra library; this one points to where Σ_k F^k is larger.

    So the positive side is where the layer is more active than on average (F = A), or where there is more evidence for
    the class (F = G ⊙ A). (B, h, w), (B, K, h, w) → (B, h, w).
    """
    total = F.sum(1)
    agreement = (projection * (total - total.mean((1, 2), keepdim=True))).sum((1, 2), keepdim=True)
    return torch.where(agreement < 0, -projection, projection)


# ---- methods that take something away and ask again


def _scorecam(case: _Case) -> Tensor:
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    engine, target = _library().ScoreCAM(case.model, []), [ClassifierOutputTarget(case.class_)]
    engine.batch_size = _CHUNK
    pairs = zip(case.x, case.maps, strict=True)  # one by one: it holds K masked pictures at a time
    weights = [engine.get_cam_weights(x[None], None, target, maps[None], None) for x, maps in pairs]  # (1, K) each
    return case.weighted(np.concatenate(weights))


def _ablationcam(case: _Case) -> Tensor:
    """w_k = y^c − y^c without map k. The paper divides by y^c, which turns the map over where that is negative.

    Not the package's: where a layer has negative values, it subtracts 10⁷ instead of setting a map to zero, and once
    more for each picture of a batch.
    """
    without: list[Tensor] = []  # what the layer puts out next
    drops = []
    module = case.model.get_submodule(case.layer)
    with module.register_forward_hook(lambda *_: without[0].clone()):  # an in-place operation may follow
        for x, A, y in zip(case.x, case.A.detach(), case.y.detach(), strict=True):
            for ks in torch.arange(len(A), device=A.device).split(_CHUNK):
                maps = A.repeat(len(ks), 1, 1, 1)  # (n, K, h, w)
                maps[range(len(ks)), ks] = 0
                without[:] = [maps]
                drops.append(y - case.model(x.repeat(len(ks), 1, 1, 1))[:, case.class_])
    return case.weighted(torch.cat(drops).view(case.A.shape[:2]))


# ---- methods of the picture


def _fullgrad(case: _Case) -> Tensor:
    """The biases are joined with their gradients call by call; the package goes by the order of construction."""
    x, calls = case.x.clone().requires_grad_(), []

    def keep(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        calls.append((layer, output))
        return output.clone()  # an in-place operation may follow

    with torch.enable_grad(), ExitStack() as hooks:
        for layer in filter(_has_bias, case.model.modules()):
            hooks.enter_context(layer.register_forward_hook(keep))
        y = case.model(x)[:, case.class_].sum()
    at_input, *grads = torch.autograd.grad(y, [x, *(output for _, output in calls)], allow_unused=True)
    used = [(layer, grad.cpu().numpy()) for (layer, _), grad in zip(calls, grads, strict=True) if grad is not None]
    engine = _library().FullGrad(nn.Linear(1, 1), [])  # for its formulas; it needs some network
    engine.bias_data = [engine.get_bias_data(layer).cpu().numpy() for layer, _ in used]
    engine.activations_and_grads.gradients = [torch.from_numpy(grad) for _, grad in used]
    x.grad = torch.zeros_like(x) if at_input is None else at_input
    return torch.as_tensor(engine.compute_cam_per_layer(x, None, False)[:, 0]).to(case.x)


def _has_bias(layer: nn.Module) -> bool:
    """As the package chooses; a batch-norm without statistics of its own has no fixed bias."""
    if type(layer) not in (nn.Conv2d, nn.BatchNorm2d):
        return False
    return layer.bias is not None and getattr(layer, "running_mean", layer.bias) is not None


def _integrated_gradients(case: _Case) -> Tensor:
    from captum.attr import IntegratedGradients

    steps = IntegratedGradients(case.model).attribute(
        case.x, target=case.class_, n_steps=_STEPS, internal_batch_size=max(_CHUNK, len(case.x))
    )
    return steps.detach().sum(1)  # (B, H, W)  over the channels


def _occlusion(case: _Case) -> Tensor:
    from captum.attr import Occlusion

    channels, (windows, strides) = case.x.shape[1], _windows(case.x.shape[-2:])
    drops = Occlusion(case.model).attribute(
        case.x,
        sliding_window_shapes=(channels, *windows),
        strides=(channels, *strides),
        target=case.class_,
        perturbations_per_eval=max(1, _CHUNK // len(case.x)),
    )
    return drops.detach()[:, 0].to(case.x)  # the same in every channel: a window hides them all


def _windows(size: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Sides of the window, a sixth of the picture's, and its steps, half of that: for 48 px, 8 and 4."""
    windows = [max(1, round(side / 6)) for side in size]
    return windows, [max(1, side // 2) for side in windows]


def _positions(size: tuple[int, int]) -> int:
    counts = [math.ceil((n - window) / step) + 1 for n, window, step in zip(size, *_windows(size), strict=True)]
    return math.prod(counts)


# ---- the catalogue

Cost = Literal["once", "a pass for each step", "a pass for each map", "a pass for each window"]

_COUNTS: dict[Cost, Callable[[int, tuple[int, int]], int]] = {
    "once": lambda channels, size: 0,
    "a pass for each step": lambda channels, size: _STEPS,
    "a pass for each map": lambda channels, size: channels,
    "a pass for each window": lambda channels, size: _positions(size),
}


@dataclass(frozen=True, eq=False)
class Explainer:
    """One way of drawing a map, as a page can present it.

    Attributes:
        name: what `explain_with` takes; title: for a heading; paper: authors, year, where.
        idea: what it does, in one sentence; unproven: what its map does not prove, in one sentence.
        cost: how often it asks the network; `passes` counts, `estimate` puts seconds to it.
        forward: forward passes besides those of `cost`; backward: backward passes.
        needs_layer: reads the maps of a layer; otherwise it works on the picture, and the map has the picture's size.
        signed: the map is also negative, where something speaks against the class; otherwise it is at least 0.
        of_class: the map depends on the class asked for.
    """

    name: str
    title: str
    paper: str
    idea: str
    unproven: str
    run: Callable[[_Case], Tensor] = field(repr=False)
    cost: Cost = "once"
    forward: int = 1
    backward: int = 1
    needs_layer: bool = True
    signed: bool = False
    of_class: bool = True

    @property
    def needs_gradients(self) -> bool:
        """Whether it goes backward through the network."""
        return self.backward > 0

    def passes(self, channels: int | None, size: tuple[int, int]) -> Passes:
        """How often the batch goes through the network, the pass that checks the arguments counted.

        Args:
            channels: maps of the layer, K; None for a method without a layer.
            size: (height, width) of the picture.

        Raises:
            ValueError: the method goes by the maps of a layer, and their number is missing.
        """
        if self.needs_layer and (channels is None or channels < 1):
            raise ValueError(f"channels={channels}: {self.name} needs the number of maps of its layer, at least 1")
        return Passes(self.forward + _COUNTS[self.cost](channels or 0, size), self.backward)


_ONE_LAYER = "A layer's map is coarse, and enlarging it adds no knowledge of where within a cell the evidence lies."
_NO_CLASS = "It shows what the layer responds to, whatever the class: it is no evidence for any answer."

_LIST = [
    Explainer(
        "gradcam",
        "Grad-CAM",
        "Selvaraju et al. 2017, ICCV",
        "Adds up the layer's maps, each weighted by the average gradient of the class's logit.",
        "The average gradient is no contribution: a place can show although the logit does not depend on it.",
        partial(_cam, "gradcam"),
    ),
    Explainer(
        "gradcam++",
        "Grad-CAM++",
        "Chattopadhyay et al. 2018, WACV",
        "As Grad-CAM, but positions share a map's weight more evenly, so that several places can show.",
        "It drops all that speaks against the class, so it cannot tell evidence from presence.",
        partial(_cam, "gradcam++"),
    ),
    Explainer(
        "xgradcam",
        "XGrad-CAM",
        "Fu et al. 2020, BMVC",
        "As Grad-CAM, but a position's gradient counts by its share of the map's activation.",
        "The map adds up to the logit only where the network behind the layer is linear.",
        partial(_cam, "xgradcam"),
    ),
    Explainer(
        "hirescam",
        "HiResCAM",
        "Draelos and Carin 2020, arXiv:2011.08891",
        "Multiplies gradient and activation position by position, so a place shows only if the logit rises with it.",
        _ONE_LAYER,
        partial(_cam, "hirescam"),
    ),
    Explainer(
        "layercam",
        "LayerCAM",
        "Jiang et al. 2021, IEEE Transactions on Image Processing",
        "Multiplies positive gradients and activations position by position, for the finer maps of earlier layers too.",
        "It drops all that speaks against the class, so a bright place may be outweighed by what is not drawn.",
        partial(_cam, "layercam"),
    ),
    Explainer(
        "elementwise",
        "Element-wise Grad-CAM",
        "pytorch-grad-cam; no paper",
        "As HiResCAM, but what speaks against the class is dropped map by map before adding up.",
        "Nothing can cancel, so it is brighter than the evidence that remains.",
        partial(_cam, "elementwise"),
    ),
    Explainer(
        "finercam",
        "Finer-CAM",
        "Zhang et al. 2025, CVPR",
        "Grad-CAM of the class's logit minus those of the three classes with the most similar logits.",
        "It shows what sets the class apart from those three, not what makes the class.",
        _finercam,
    ),
    Explainer(
        "shapleycam",
        "ShapleyCAM",
        "Cai 2025, arXiv:2501.06261",
        "Grad-CAM with a second-order correction, gradient − ½ Hessian · activation, of logit plus log-probability.",
        "It approximates a Shapley value to second order; how far off that is stays unknown.",
        _shapleycam,
        backward=2,
    ),
    Explainer(
        "eigencam",
        "Eigen-CAM",
        "Muhammad and Yeasin 2020, IJCNN",
        "Projects each position's activations on their first principal component, positive where the layer is active.",
        _NO_CLASS,
        _eigencam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "eigengradcam",
        "Eigen-Grad-CAM",
        "pytorch-grad-cam, after Muhammad and Yeasin 2020",
        "As Eigen-CAM, of activation times gradient, positive where there is evidence for the class.",
        "The component that varies most need not be the one that carries the logit.",
        _eigengradcam,
    ),
    Explainer(
        "segeigencam",
        "Seg-Eigen-CAM",
        "Chung and Ying 2025, Applied Sciences 15(13), 7562",
        "As Eigen-CAM, of activation times the size of the gradient, with the larger extreme made positive.",
        "The size of a gradient does not say whether a place speaks for or against the class.",
        _segeigencam,
    ),
    Explainer(
        "kpcacam",
        "KPCA-CAM",
        "Karmani et al. 2024, arXiv:2410.00267",
        "As Eigen-CAM, with a kernel, so that the component may be curved.",
        _NO_CLASS,
        _kpcacam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "fem",
        "FEM, feature explanation method",
        "Fuad et al. 2020, IPTA",
        "Adds up the maps, each weighted by the share of positions more than two deviations above its mean.",
        _NO_CLASS,
        _fem,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "scorecam",
        "Score-CAM",
        "Wang et al. 2020, CVPR workshops",
        "Masks the picture with each map in turn, and weights the map by the softmax of the logits that remain.",
        "A masked face is no face the network has learned, and the softmax can leave a single map.",
        _scorecam,
        cost="a pass for each map",
        backward=0,
    ),
    Explainer(
        "ablationcam",
        "Ablation-CAM",
        "Desai and Ramaswamy 2020, WACV",
        "Sets each map to zero in turn, and weights it by how far the logit drops.",
        "Maps that stand in for each other seem worthless one by one.",
        _ablationcam,
        cost="a pass for each map",
        backward=0,
    ),
    Explainer(
        "randomcam",
        "Random weights",
        "pytorch-grad-cam; a baseline",
        "Adds up the maps with random weights, the same at every call.",
        "It proves nothing, which is its use: a method has to beat it.",
        _randomcam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "fullgrad",
        "FullGrad",
        "Srinivas and Fleuret 2019, NeurIPS",
        "Adds up |gradient × input| and |gradient × bias| of every convolution and batch-norm, each stretched to 0..1.",
        "The sizes are added, so it shows where the logit is sensitive, not in which direction.",
        _fullgrad,
        forward=2,
        needs_layer=False,
    ),
    Explainer(
        "integrated_gradients",
        "Integrated gradients",
        "Sundararajan et al. 2017, ICML",
        "Gathers the gradient on the way from a plain gray picture to this one; the pixels add up to the logit's gain.",
        "The gain is over plain gray, a choice: pixels as gray as that get nothing, whatever they mean.",
        _integrated_gradients,
        cost="a pass for each step",
        backward=_STEPS,
        needs_layer=False,
        signed=True,
    ),
    Explainer(
        "occlusion",
        "Occlusion",
        "Zeiler and Fergus 2014, ECCV",
        "Covers the picture window by window with plain gray, and shows how far the logit drops.",
        "A covered face is no face the network has learned, and evidence that is there twice is never missed.",
        _occlusion,
        cost="a pass for each window",
        forward=2,
        backward=0,
        needs_layer=False,
        signed=True,
    ),
]

EXPLAINERS: dict[str, Explainer] = {explainer.name: explainer for explainer in _LIST}


# ---- running one


def explain_with(
    model: nn.Module,
    x: Tensor,
    name: str,
    class_: int,
    layer: str | None = None,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "B h w"]:
    """The map of one explainer for one class.

    Each call works on a double of the network that shares its weights, so that other threads may explain and predict
    meanwhile; the network itself is held only while the double is made.

    Args:
        model: any network (B, C_in, H, W) → logits (B, number of classes), in whatever mode; it comes back as it was.
        x: pictures (B, C_in, H, W), prepared as the network expects them, so that 0 is a plain gray.
        name: one of EXPLAINERS.
        class_: index of the class. The map of an explainer without `of_class` is the same for all.
        layer: for those with `needs_layer`: a submodule whose output is (B, K, h, w). The others ignore it.
        size: (height, width) of the map, enlarged bilinearly. None: the layer's, or the picture's where none is needed.
        progress: called with the number of passes done and of all; what it raises ends the call.

    Returns:
        Maps (B, h, w), without a graph, each method on a scale of its own; at least 0 unless the explainer is `signed`.
        In float32 (float64 for a float64 network).

    Raises:
        ValueError: an argument is wrong, or the layer has no map to offer; the message names the argument.
    """
    explainer = _checked(name, x, layer)
    require_size(size)
    with _plain_modes(x):
        case = _case(explainer, model, x, layer, class_)
        channels = None if case.A is None else case.A.shape[1]
        total = explainer.passes(channels, tuple(x.shape[-2:])).forward
        with _counted(case, total, progress) if progress else nullcontext():
            maps = explainer.run(case)  # (B, h, w)
        if not bool(maps.isfinite().all()):
            raise ValueError(
                f'name="{name}" gives NaN or infinite values on this network. Choose another method or layer.'
            )
        maps = maps if explainer.signed else maps.relu()
        return maps if size is None else cam.resize(maps[:, None, None], size)[:, 0, 0]


def estimate(model: nn.Module, x: Tensor, name: str, layer: str | None = None) -> float:
    """Seconds that `explain_with` will take, roughly: one timed forward pass times the number of passes.

    A backward pass counts as much as a forward pass, since no weight needs a gradient. Decompositions are not counted.
    Arguments and errors as for `explain_with`.
    """
    explainer = _checked(name, x, layer)
    with _plain_modes(x):
        case = _case(explainer, model, x, layer, class_=0)
        channels = None if case.A is None else case.A.shape[1]
        forward, backward = explainer.passes(channels, tuple(x.shape[-2:]))
        pictures = min(max(_CHUNK, len(x)), forward * len(x))  # as many at a time as the method will ask about
        batch = case.x[:1].repeat(pictures, 1, 1, 1)
        _wait(x)
        start = time.perf_counter()
        case.model(batch)
        _wait(x)
        return (time.perf_counter() - start) / pictures * len(x) * (forward + backward)


def _checked(name: str, x: Tensor, layer: str | None) -> Explainer:
    if name not in EXPLAINERS:
        near = difflib.get_close_matches(str(name), EXPLAINERS, n=3, cutoff=0.0)
        raise ValueError(f'name="{name}" is no explainer. The nearest names: {", ".join(near)}')
    require_pictures(x)
    if EXPLAINERS[name].needs_layer and layer is None:
        raise ValueError(f"layer=None: {name} reads the maps of a layer. Give the name of a convolutional one.")
    return EXPLAINERS[name]


@contextmanager
def _plain_modes(x: Tensor) -> Iterator[None]:
    """Neither inference mode, nor gradients, nor autocast of the caller; for the same reasons as in `cam.atlas`."""
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        yield


def _case(explainer: Explainer, model: nn.Module, x: Tensor, layer: str | None, class_: int) -> _Case:
    """The double, and its answer to the pictures."""
    double = _double(model)
    x = x.clone() if x.is_inference() else x.detach()
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if explainer.needs_layer:
        A, logits = cam.forward_from(double, x, layer)
        if not logits.requires_grad:  # the weights are frozen, so a graph can only come from A
            raise no_influence(layer)
    else:
        A, logits = None, require_logits(double(x), x)
    index = class_index(class_, logits.shape[1])
    with torch.enable_grad():
        return _Case(double, x, index, logits, logits[:, index], layer, A)


def _double(model: nn.Module) -> nn.Module:
    """A network of its own for one explanation: evaluation mode, frozen, at least float32; the weights are shared.

    A lock is not enough: the hooks here see the predictions of other threads too, which take no lock, and would record
    or even change them. The double bears all hooks, and is thrown away.
    """
    require_weights(model)
    with borrowed(model):
        shared: dict[int, object] = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
        shared |= {id(buffer): buffer for buffer in model.buffers()}
        try:
            double = copy.deepcopy(model, shared)
        except RuntimeError as error:
            raise ValueError(f"model cannot be copied, because it keeps a tensor of a forward pass: {error}") from error
    narrow = any(p.is_floating_point() and p.element_size() < 4 for p in double.parameters())
    return double.float() if narrow else double


@contextmanager
def _counted(case: _Case, total: int, progress: Progress) -> Iterator[None]:
    """Tell `progress` of every call of the double; the first pass is done."""
    pictures = len(case.x)

    def count(_module: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        nonlocal pictures
        pictures += len(inputs[0])
        progress(pictures // len(case.x), total)

    progress(1, total)
    with case.model.register_forward_hook(count):
        yield


def _wait(x: Tensor) -> None:
    """An accelerator answers before it has finished."""
    if x.device.type != "cpu":
        torch.accelerator.synchronize(x.device)


@cache
def _library() -> ModuleType:
    """pytorch-grad-cam, without the bar that Score-CAM draws on the terminal for every picture."""
    import pytorch_grad_cam
    from pytorch_grad_cam import score_cam

    score_cam.tqdm = SimpleNamespace(tqdm=iter)
    return pytorch_grad_cam
