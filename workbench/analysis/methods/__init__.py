"""The explainers: what each one does, what it costs, what it does not prove, and one function that runs any of them.

    EXPLAINERS["scorecam"].passes(256, (48, 48))    number of forward and backward passes, known beforehand
    estimate(model, x, "scorecam", "stage3")        … in seconds
    explain_with(model, x, "scorecam", 3, "stage3") the map

Gradient methods read activations and gradients of one layer (the six of `cam` and related ones) or of several,
perturbation methods run the network again and again with something removed, and methods on the input need no layer.

Symbols as in `cam`: A activations (B, K, h, w), G = ∂y^c/∂A (B, K, h, w), y^c the logit of class c, Z = h·w.

The formulas of maps of layers are those of pytorch-grad-cam 1.5.7, the machinery is not: the package records calls of
every thread, changes the network, and stretches each map to 0..1, which hides how strong it is. What works on pixels is
captum's. Not in the catalog:

    GradCAM, GradCAMPlusPlus, XGradCAM, HiResCAM, LayerCAM, GradCAMElementWise   the six of `cam`, under our names
    ablation_cam_multilayer    the older form of AblationCAM
    SESS                       classifies resized patches; a patch of a face is not a face
    GuidedBackpropReLUModel    knows ReLU modules only, and hardly depends on the weights (Adebayo et al. 2018)
    sobel_cam                  an edge filter; it uses no network

The libraries are imported at the first use, because that takes seconds.

    catalog      EXPLAINERS: name, paper, cost and limits of each method, in `layer_catalog` and `image_catalog`
    explainer    the fields of a record
    run          explain_with, estimate: one method on a network that others use meanwhile
    gradient_weighted  Grad-CAM and related methods: a weighted sum of the feature maps of a layer
    eigen        the Eigen-CAM family: the first principal component of a layer
    fused        averaged Grad-CAM, RefineCAM: the maps of several layers
    factorization  deep feature factorization: non-negative parts of a layer
    perturbation  Score-CAM, Ablation-CAM, occlusion, RISE
    superpixels  LIME, KernelSHAP
    input_gradients  FullGrad, integrated gradients, SmoothGrad: at the resolution of the image
    propagation  DeepLIFT, LRP: rules of their own for each layer; `coverage` refuses networks that they do not fit
    case         input of every method
"""

from .catalog import EXPLAINERS, GROUPS
from .explainer import Explainer, Passes
from .run import Progress, estimate, explain_with

__all__ = ["EXPLAINERS", "GROUPS", "Explainer", "Passes", "Progress", "estimate", "explain_with"]
