"""The bridge between the two islands: a face and the name of a network in, frozen results out.

Pages, the public demo and notebooks call these functions. Nothing here draws, and nothing here knows of Streamlit.
One module for each kind of question; all of them are asked as `services.NAME`.
"""

from models.datasets.splits import named_splits
from models.layers.frequency import Mask

from ..analysis.attention import CONSTANT_DEVIATION, CONSTANT_SHARE, GateStatistics, ModuleStatistics
from ..analysis.cam import METHODS
from ..analysis.frequency import FrequencyPictures
from ..analysis.methods import EXPLAINERS, Explainer
from . import lessons, papers, training
from .attention import (
    BesideCams,
    Branches,
    Inside,
    Module,
    Switched,
    beside_cams,
    branches,
    inside,
    networks_with_attention,
    switched,
    switched_each,
)
from .compare import Comparison, MapPair, compare, side_by_side
from .dataset.class_imbalance import Augmenting, Weighting, augmentations, changed, drawn_face, weightings
from .dataset.contents import (
    FER2013,
    Contents,
    KnownLeak,
    contents,
    examine,
    findings,
    has_pictures,
    is_examined,
    known_leaks,
    samples,
    set_names,
)
from .dataset.imported import NOT_IMPORTED, SetFace, find_face, imported_sets, open_set, set_face
from .debug_challenge import FAULTS, Fault, Spoiled, ask_spoiled, fault_of, possible_faults, spoil, turned
from .explain import (
    TRUST_PICTURES,
    Explanation,
    explain,
    layers,
    map_by_layer,
    map_by_method,
    seconds_by_method,
    trust,
    warm,
)
from .framing import Framed, FrameGrid, Move, frame_grid, framed, likeness
from .frequency import (
    Amplitude,
    BandSwap,
    Channels,
    FrequencyResponse,
    SwapResponse,
    amplitude,
    band_swap,
    channels,
    frequencies,
    frequency_response,
    rival,
    swap_response,
)
from .gates import DRAWN_FACES, Gates, drawn_gates, gate_passes, stored_gates
from .map_quiz import GRID, Guess, Score, cell_name, drawn_as, evidence, guess
from .metrics.annotators import RaterView, raters_view
from .metrics.confusion import Cell, Mistake, cell, thumbnails
from .metrics.evaluation import (
    MEASURES,
    TEST_PARTS,
    WHICH_PICTURES,
    Calibration,
    Scores,
    calibration,
    checkpoints,
    is_of_fer2013,
    scores,
)
from .metrics.paired_tests import Pair, Seen, pair, seen_before
from .metrics.training_curves import History, history
from .networks import (
    DEFAULT_NETWORK,
    Network,
    checkpoint_names,
    folder_of,
    get_spec,
    is_job,
    is_trained,
    members,
    network_names,
    open_network,
    paper,
    weights_changed,
)
from .prediction import Prediction, Uncertainty, predict, uncertainty, uncertainty_count
from .robustness import (
    CORRUPTIONS,
    Response,
    Survey,
    Tip,
    occlusion,
    occlusion_count,
    occlusion_patch,
    pace,
    robustness,
    survey,
    survey_minutes,
    surveys,
    tips,
)
from .svd import (
    Gain,
    RankAnswers,
    Spectrum,
    gains,
    gate_spread,
    memory_account,
    rank_answers,
    spectrum,
    svd_attention,
    svd_networks,
)
