"""The page Explain: for each tab, how its content is computed, and the functions that do it."""

GRAD_CAM = """
**Grad-CAM** (Selvaraju et al. 2017) weights the feature maps $A^k$ of a layer by the mean gradient of the logit $y^c$:

$$
\\alpha_k^c = \\frac{1}{Z}\\sum_{i,j}\\frac{\\partial y^c}{\\partial A^k_{ij}}, \\qquad
L^c = \\mathrm{ReLU}\\Big(\\sum_k \\alpha_k^c A^k\\Big)
$$

The color bar is in units of the logit $y^c$, the score of a class before softmax turns scores into probabilities.
"""
QUIZ = """
***Predict first*:** a guess of cells $G$ is scored by its share of the map $L^c$ relative to that of the same number of
strongest cells $S$, and by its overlap with them:

$$
\\frac{\\sum_{ij \\in G} L^c_{ij}}{\\sum_{ij \\in S} L^c_{ij}}, \\qquad \\mathrm{IoU} = \\frac{|G \\cap S|}{|G \\cup S|}
$$
"""
MAP = ("workbench.analysis.cam:_gradcam", "workbench.analysis.cam:atlas")
HOW = {
    "Uncertainty": (
        """
**Uncertainty:** with $H$ the entropy and $p_t$ the probabilities in pass $t$ with dropout (Gal and Ghahramani 2016),

$$
\\underbrace{H\\big[\\bar p\\big]}_{\\text{predictive}} =
\\underbrace{\\overline{H[p_t]}}_{\\text{aleatoric}} + \\text{epistemic}
$$
""",
        "workbench.analysis.uncertainty:tta",
        "workbench.analysis.uncertainty:mc_dropout",
    ),
    "Classes": ("The maps of all classes come from one forward pass.",),
    "Methods": (
        "**Other methods:** the tab has the idea and the paper of each.",
        "workbench.services.explain:map_by_method",
    ),
    "Layers": (
        "The same with the feature maps of each layer.",
        "workbench.services.explain:map_by_layer",
    ),
    "Faithfulness": (
        "**Deletion and insertion** (Petsiuk, Das and Saenko 2018): the area under the probability of the class while "
        "pixels are deleted or inserted, highest values of the map first. **Sanity check** (Adebayo et al. 2018): "
        "the similarity to the map of the same network with random weights.",
        "workbench.analysis.faithfulness:deletion",
        "workbench.analysis.sanity:cascade",
        "workbench.analysis.trust:badge",
    ),
    "Attention maps": (
        "**Attention maps:** their equations stand below them.",
        "workbench.analysis.attention:attention_of",
    ),
    "Training faces": (
        "Euclidean distance of the features before the last layer, projected to principal components of the training "
        "set.",
        "workbench.services.metrics.test_set_views:nearest_training_faces",
    ),
}
