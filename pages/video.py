"""Video: predictions for the faces of a clip or of the camera over time, and the map of each frame."""

from workbench.ui import caveats, live_camera, state, video, views
from workbench.ui.how_computed.video import HOW

views.title("Video", "How does the prediction change over time?")
network = state.network()
state.network_or_stop()
caveats.of_network(network)
source = views.choose_one("Source", ("Video file", "Live camera"), default="Video file", key="moving")
if source == "Live camera":
    live_camera.live(network)
else:
    video.clip(network)
views.how_computed(*HOW)
