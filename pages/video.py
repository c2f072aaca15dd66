"""Video: predictions for the faces of a clip or of the camera over time, and the map of each frame."""

from workbench.ui import caveats, live_camera, state, video, views

views.title("Video", "How does the prediction change over time?")
network = state.network()
state.network_or_stop()
caveats.of_network(network)
source = views.choose_one("Source", ("Video file", "Live camera"), default="Video file", key="moving")
if source == "Live camera":
    live_camera.live(network)
else:
    video.clip(network)
with views.computed(
    "workbench.services.video:Watch.see", "workbench.faces.tracks:Tracks.update", "workbench.decoders.video:_sampled"
):
    views.caption(
        "Every frame is decoded, its faces are detected and classified one by one. A face keeps its number as long as "
        "its box lies near the last one; no probability is smoothed over time."
    )
