"""Robustness: the prediction under perturbations, occlusion and another crop."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.faces import PictureError
from workbench.services.robustness import CORRUPTIONS, SCORES, Response, occlusion, occlusion_count, occlusion_patch
from workbench.ui import adversarial, caveats, charts, page_content, robustness, slow_requests, state, views
from workbench.ui.how_computed.robustness import HOW

views.title("Robustness", "How does the prediction change when the image is perturbed?")
face, network = state.face_or_stop(), state.network()
views.luminance_note(network)
net, me = state.network_or_stop(), (face.key, network)
caveats.show(network)


@page_content.fragment
def perturbed() -> None:
    titles = {name: corruption.title for name, corruption in CORRUPTIONS.items()}
    choose, told = st.columns([2, 3], vertical_alignment="bottom")
    name = choose.selectbox("Perturbation", titles, format_func=titles.get, key="change", bind="query-params")
    corruption = CORRUPTIONS[name]
    count = len(corruption.values)
    if not slow_requests.ready(network, count, "Classify all steps", f"{name}-{face.key}-{network}"):
        return
    with slow_requests.running("Classifying all steps", count):
        found = state.cached(("robustness", *me, name), lambda: services.robustness(face, network, name))
    with told:
        views.caption(robustness.where_it_changes(found, net.classes))
    at_a_value(found)
    views.caption(
        "Measured only at the markers. A drop can mean that the network needs what the perturbation removes, or that "
        "such images are unlike its training images."
    )
    robustness.row_of_faces(found, net.classes)
    views.caption(f"**{corruption.title}:** {corruption.note} Under each image: value, prediction, probability.")
    test_set = partial(robustness.test_set, network, name)
    views.folded("Accuracy on the test set under this perturbation", "test-set-open", test_set)


@page_content.fragment
def at_a_value(found: Response) -> None:
    left, right = st.columns([5, 2])
    with right:
        i = robustness.choose_value(found)
        value = found.values[i]
        words = robustness.number(float(value), found.corruption)
        alt = f"The face at {CORRUPTIONS[found.corruption].title.lower()} {words}"
        charts.show(charts.face(found.images[i], words), "shown", alt)
    with left:
        robustness.curves(found, net.classes, float(value))
        predicted = found.probabilities[i]
        views.caption(f"**At {words}: {net.classes[predicted.argmax()]}, {charts.percent(float(predicted.max()))}.**")


@page_content.fragment
def occluded() -> None:
    class_ = state.choose_class(net.classes, services.predict(face, network).predicted, "Class")
    left, right = st.columns([1, 2])
    score = views.choose_one("Change of the", SCORES, default=SCORES[0], key="score", container=left)
    share = robustness.choose_patch(right)
    count, what = occlusion_count(network, share), (class_, share, score)
    if not slow_requests.ready(network, count, "Occlude each position", f"occlusion-{share}-{face.key}-{network}"):
        return
    with slow_requests.running("Occluding each position", count):
        drop = state.cached(("occlusion", *me, *what), lambda: occlusion(face, network, *what))
    seen, over, text = st.columns(3)
    with seen:
        label = f"{net.input_size} × {net.input_size} pixels"
        charts.show(charts.face(net.see(face), label), "whole", f"The face in {label}, before the occlusion")
    with over:
        alt = f"Drop of the {score} of {class_} by occluded position, over the face"
        charts.show(charts.face_with_signed(net.see(face), drop, f"{score} drop"), "occlusion", alt)
    with text:
        views.caption(robustness.occlusion_caption(drop, class_, occlusion_patch(network, share)[0], score))
        views.caption(
            "The edges of the patch are unlike the training images, and one patch cannot show regions that matter "
            "only together. Compare with the map on the page Explain."
        )


@page_content.fragment
def frames() -> None:
    picture, box = state.picture()
    start = state.cached(("framed", *me, box), lambda: services.framing.framed(picture, box, network))
    class_ = start.prediction.predicted
    move = robustness.choose_move()
    try:
        moved = services.framing.framed(picture, box, network, class_, move)
    except PictureError:
        st.info("The crop lies outside of the image. Move it less.")
        return
    top = max((float(found.map.max()) for found in (start, moved) if found.map is not None), default=0.0)
    before, after, bars = st.columns(3)
    with before:
        robustness.frame(start, class_, top, "Detected crop", "before")
    with after:
        robustness.frame(moved, class_, top, "Moved crop", "after")
    with bars:
        predicted = moved.prediction
        chart = charts.probabilities(predicted.classes, predicted.probabilities, class_, predicted.trained)
        alt = views.probabilities_alt(network, predicted.classes, predicted.probabilities)
        charts.show(chart, "moved-bars", f"Moved crop. {alt}")
        of_maps = "." if moved.map is None else ", the class of both maps."
        views.caption(f"Moved crop; outlined: {class_}{of_maps}")
    views.caption(
        "**One face, two crops, one color scale.** "
        f"{robustness.similarity(services.framing.map_correlation(start, moved))} "
        "The face is the same, so every difference is due to the crop."
    )


def grid() -> None:
    if not slow_requests.ready(network, 25, "Classify 25 crops", f"frames-{face.key}-{network}"):
        return
    picture, box = state.picture()
    with slow_requests.running("Classifying 25 crops", 25):
        found = state.cached(("grid", *me, box), lambda: services.framing.frame_grid(picture, box, network))
    robustness.grid(found)


def crop() -> None:
    frames()
    grid()


views.tabs(
    {
        "Corruptions": perturbed,
        "Occlusion": occluded,
        "Crop": crop,
        "Rotation": robustness.rotation,
        "Adversarial": partial(adversarial.search, face, network),
    },
    dict.fromkeys(("right", "down", "size"), "Crop")
    | {"patch": "Occlusion", "score": "Occlusion", "attack": "Adversarial"},
    HOW,
)
