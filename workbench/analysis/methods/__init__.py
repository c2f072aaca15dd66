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

    catalogue    EXPLAINERS: what each method is called, claims, costs and does not prove
    run          explain_with, estimate: one method on a network that others use meanwhile
    weighted     Grad-CAM and its kin: the maps of a layer, weighed and added up
    components   the Eigen-CAM family: the first principal component of a layer
    take_away    Score-CAM, Ablation-CAM, occlusion: hide something and ask again
    pixels       FullGrad, integrated gradients: as fine as the picture
    case         what every method is given
"""

from .catalog import EXPLAINERS, Explainer, Passes
from .run import Progress, estimate, explain_with

__all__ = ["EXPLAINERS", "Explainer", "Passes", "Progress", "estimate", "explain_with"]
