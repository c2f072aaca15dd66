"""The bridge between the two islands: a face and the name of a network in, frozen results out.

Pages, the public demo and notebooks call these functions. Nothing here draws, and nothing here knows of Streamlit.
One module for each kind of question; all of them are asked as `services.NAME`.
"""

from models import get_spec

from ..analysis.frequency import FrequencyPictures
from .answers import Prediction, Uncertainty, predict, uncertainty
from .changes import occlusion, robustness
from .explanations import Comparison, Explanation, compare, explain, trust, warm
from .networks import DEFAULT_NETWORK, Network, network_names, open_network, paper
from .strokes import Gain, Spectrum, gains, memory_account, spectrum, svd_attention, svd_networks
from .waves import Channels, FrequencyResponse, channels, frequencies, frequency_response
