"""FERScope: streamlit run workbench/app.py

What stands round every page: the sidebar with the face and the network, and the pages of `navigation.py`.
"""

import streamlit as st

from workbench import navigation
from workbench.faces import sample_picture
from workbench.ui import face_input, model_picker

# An icon of our own: Streamlit fetches its named ones from an outside host.
st.set_page_config(page_title="FERScope", page_icon=sample_picture("drawn_happy"), layout="wide")
st.html("<style>.stMainBlockContainer {padding-top: 2.5rem; padding-bottom: 3rem}</style>")
page = navigation.navigate()
with st.sidebar:
    face_input.choose()
    model_picker.choose()
page.run()
