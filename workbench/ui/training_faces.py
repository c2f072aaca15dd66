"""The training faces nearest to the current one, on the page Explain."""

from __future__ import annotations

import streamlit as st

from models.text import thousands
from workbench.faces import Face
from workbench.services.metrics.confusion import thumbnails
from workbench.services.metrics.test_set_views import nearest_training_faces

from . import views


def nearest(face: Face, network: str) -> None:
    """Draw the training images whose features are nearest to those of the face."""
    try:
        found = nearest_training_faces(face, network)
    except ValueError as error:  # no features are stored: the message has the command
        st.info(str(error))
        return
    set_, images = thumbnails([image.id for image in found.images])
    for column, image in zip(st.columns(len(found.images)), found.images, strict=True):
        with column:
            if image.id in images:
                alt = f"Training image {image.id} of {set_}, labeled {image.label}"
                st.image(images[image.id].repeat(3, 0).repeat(3, 1), width="stretch", alt=alt)
            st.markdown(f"**{image.label}**  \n{image.votes or 'no votes known'}  \ndistance {image.distance:.2f}")
    closest = found.images[0].distance
    views.caption(
        f"**The {len(found.images)} of {thousands(found.among)} training images whose features are nearest,** with "
        f"label and votes of ten annotators. The nearest is at distance {closest:.2f}; for a typical test image it "
        f"is at {found.typical:.2f} (median, Euclidean). Near in the network's features does not mean alike to "
        "people."
    )
    if not images:
        st.caption("The images are not imported here: import FER2013 on the page Dataset.")
