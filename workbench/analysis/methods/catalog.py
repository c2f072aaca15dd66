"""The catalogue: every method with its paper, its idea, its cost, and what its map does not prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from torch import Tensor

from . import eigen, gradient_weighted, input_gradients, perturbation
from .case import Case


class Passes(NamedTuple):
    """How often a batch goes through the network: `forward`, and `backward` for gradients."""

    forward: int
    backward: int


Cost = Literal["once", "a pass for each step", "a pass for each map", "a pass for each window"]

_COUNTS: dict[Cost, Callable[[int, Sequence[int]], int]] = {
    "once": lambda channels, size: 0,
    "a pass for each step": lambda channels, size: input_gradients.STEPS,
    "a pass for each map": lambda channels, size: channels,
    "a pass for each window": lambda channels, size: perturbation.window_positions(size),
}


@dataclass(frozen=True, eq=False)
class Explainer:
    """An explanation method with its description.

    Attributes:
        name: what `explain_with` takes; title: for a heading; paper: authors, year, where.
        idea: what it does, in one sentence; unproven: what its map does not prove, in one sentence.
        cost: number of forward passes; `passes` counts them, `estimate` converts them to seconds.
        forward: forward passes besides those of `cost`; backward: backward passes.
        needs_layer: reads the maps of a layer; otherwise it works on the input, and the map has its size.
        signed: the map is also negative, where there is evidence against the class; otherwise it is at least 0.
        of_class: the map depends on the target class.
    """

    name: str
    title: str
    paper: str
    idea: str
    unproven: str
    run: Callable[[Case], Tensor] = field(repr=False)
    cost: Cost = "once"
    forward: int = 1
    backward: int = 1
    needs_layer: bool = True
    signed: bool = False
    of_class: bool = True

    def passes(self, channels: int | None, size: Sequence[int]) -> Passes:
        """How often the batch goes through the network, the pass that checks the arguments counted.

        Args:
            channels: maps of the layer, K; None for a method without a layer.
            size: (height, width) of the image.

        Raises:
            ValueError: the method goes by the maps of a layer, and their number is missing.
        """
        if self.needs_layer and (channels is None or channels < 1):
            raise ValueError(f"channels={channels}: {self.name} needs the number of maps of its layer, at least 1")
        return Passes(self.forward + _COUNTS[self.cost](channels or 0, size), self.backward)


_ONE_LAYER = "A layer's map is coarse, and resizing it adds no knowledge of where within a cell the evidence lies."
_NO_CLASS = "It shows what the layer responds to, whatever the class: it is no evidence for any prediction."

_LIST = [
    Explainer(
        "gradcam",
        "Grad-CAM",
        "Selvaraju et al. 2017, ICCV",
        "Adds up the layer's maps, each weighted by the average gradient of the class's logit.",
        "The average gradient is no contribution: a region can show although the logit does not depend on it.",
        partial(gradient_weighted.of_cam, "gradcam"),
    ),
    Explainer(
        "gradcam++",
        "Grad-CAM++",
        "Chattopadhyay et al. 2018, WACV",
        "As Grad-CAM, but positions share a map's weight more evenly, so that several regions can show.",
        "It drops all evidence against the class, so it cannot distinguish evidence from presence.",
        partial(gradient_weighted.of_cam, "gradcam++"),
    ),
    Explainer(
        "xgradcam",
        "XGrad-CAM",
        "Fu et al. 2020, BMVC",
        "As Grad-CAM, but a position's gradient counts by its share of the map's activation.",
        "The map adds up to the logit only where the network behind the layer is linear.",
        partial(gradient_weighted.of_cam, "xgradcam"),
    ),
    Explainer(
        "hirescam",
        "HiResCAM",
        "Draelos and Carin 2020, arXiv:2011.08891",
        "Multiplies gradient and activation position by position, so a region shows only if the logit rises with it.",
        _ONE_LAYER,
        partial(gradient_weighted.of_cam, "hirescam"),
    ),
    Explainer(
        "layercam",
        "LayerCAM",
        "Jiang et al. 2021, IEEE Transactions on Image Processing",
        "Multiplies positive gradients and activations position by position, for the finer maps of earlier layers too.",
        "It drops all evidence against the class, so a bright region may be outweighed by what is not shown.",
        partial(gradient_weighted.of_cam, "layercam"),
    ),
    Explainer(
        "elementwise",
        "Element-wise Grad-CAM",
        "pytorch-grad-cam; no paper",
        "As HiResCAM, but evidence against the class is dropped map by map before the sum.",
        "Nothing can cancel, so it is brighter than the evidence that remains.",
        partial(gradient_weighted.of_cam, "elementwise"),
    ),
    Explainer(
        "finercam",
        "Finer-CAM",
        "Zhang et al. 2025, CVPR",
        "Grad-CAM of the class's logit minus those of the three classes with the most similar logits.",
        "It shows what sets the class apart from those three, not what makes the class.",
        gradient_weighted.finercam,
    ),
    Explainer(
        "shapleycam",
        "ShapleyCAM",
        "Cai 2025, arXiv:2501.06261",
        "Grad-CAM with a second-order correction, gradient − ½ Hessian · activation, of logit plus log-probability.",
        "It approximates a Shapley value to second order; how far off that is stays unknown.",
        gradient_weighted.shapleycam,
        backward=2,
    ),
    Explainer(
        "eigencam",
        "Eigen-CAM",
        "Muhammad and Yeasin 2020, IJCNN",
        "Projects each position's activations on their first principal component, positive where the layer is active.",
        _NO_CLASS,
        eigen.eigencam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "eigengradcam",
        "Eigen-Grad-CAM",
        "pytorch-grad-cam, after Muhammad and Yeasin 2020",
        "As Eigen-CAM, of activation times gradient, positive where there is evidence for the class.",
        "The component that varies most need not be the one that carries the logit.",
        eigen.eigengradcam,
    ),
    Explainer(
        "segeigencam",
        "Seg-Eigen-CAM",
        "Chung and Ying 2025, Applied Sciences 15(13), 7562",
        "As Eigen-CAM, of activation times the size of the gradient, with the larger extreme made positive.",
        "The size of a gradient does not say whether a region is evidence for or against the class.",
        eigen.segeigencam,
    ),
    Explainer(
        "kpcacam",
        "KPCA-CAM",
        "Karmani et al. 2024, arXiv:2410.00267",
        "As Eigen-CAM, with a kernel, so that the component may be curved.",
        _NO_CLASS,
        eigen.kpcacam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "fem",
        "FEM, feature explanation method",
        "Fuad et al. 2020, IPTA",
        "Adds up the maps, each weighted by the share of positions more than two deviations above its mean.",
        _NO_CLASS,
        gradient_weighted.fem,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "scorecam",
        "Score-CAM",
        "Wang et al. 2020, CVPR workshops",
        "Masks the image with each map in turn, and weights the map by the softmax of the logits that remain.",
        "A masked face is no face the network has learned, and the softmax can leave a single map.",
        perturbation.scorecam,
        cost="a pass for each map",
        backward=0,
    ),
    Explainer(
        "ablationcam",
        "Ablation-CAM",
        "Desai and Ramaswamy 2020, WACV",
        "Sets each map to zero in turn, and weights it by how far the logit drops.",
        "Maps that stand in for each other seem worthless one by one.",
        perturbation.ablationcam,
        cost="a pass for each map",
        backward=0,
    ),
    Explainer(
        "randomcam",
        "Random weights",
        "pytorch-grad-cam; a baseline",
        "Adds up the maps with random weights, the same at every call.",
        "It proves nothing, which is its use: a method has to beat it.",
        gradient_weighted.randomcam,
        backward=0,
        of_class=False,
    ),
    Explainer(
        "fullgrad",
        "FullGrad",
        "Srinivas and Fleuret 2019, NeurIPS",
        "Adds up |gradient × input| and |gradient × bias| of every convolution and batch-norm, each stretched to 0..1.",
        "The sizes are added, so it shows where the logit is sensitive, not in which direction.",
        input_gradients.fullgrad,
        forward=2,
        needs_layer=False,
    ),
    Explainer(
        "integrated_gradients",
        "Integrated gradients",
        "Sundararajan et al. 2017, ICML",
        "Gathers the gradient on the way from a plain gray image to this one; the pixels add up to the logit's gain.",
        "The gain is over plain gray, a choice: pixels as gray as that get nothing, whatever they mean.",
        input_gradients.integrated_gradients,
        cost="a pass for each step",
        backward=input_gradients.STEPS,
        needs_layer=False,
        signed=True,
    ),
    Explainer(
        "occlusion",
        "Occlusion",
        "Zeiler and Fergus 2014, ECCV",
        "Covers the image window by window with plain gray, and shows how far the logit drops.",
        "A covered face is no face the network has learned, and evidence that is there twice is never missed.",
        perturbation.occlusion,
        cost="a pass for each window",
        forward=2,
        backward=0,
        needs_layer=False,
        signed=True,
    ),
]

EXPLAINERS: dict[str, Explainer] = {explainer.name: explainer for explainer in _LIST}
