"""About: what FERScope is for, what it must not be used for, and where pictures go."""

import streamlit as st

st.title("What is this for, and what not?")
st.markdown(
    "FERScope opens up networks that were trained to name facial expressions, so that a class can see how they work "
    "and where they fail."
)

use, limits, privacy = st.columns(3)
with use:
    st.subheader("What it is for")
    st.markdown(
        "Teaching and research: seeing what in a picture carried a network's answer, and how little that may "
        "prove.\n\n"
        "**A network here predicts what raters called a face, not what a person feels.** It learned from FER2013, "
        "small gray pictures from a web search, each labelled by people who saw nothing but the picture. Raters often "
        "disagree, and a face need not show a feeling at all."
    )
with limits:
    st.subheader("What it must not be used for")
    st.markdown(
        "- Not for judging students, staff, applicants, patients or customers.\n"
        "- Not for watching people who did not agree to it.\n"
        "- Not for any decision about a person.\n\n"
        "**In the European Union**, Article 5(1)(f) of the AI Act (Regulation 2024/1689) prohibits systems that infer "
        "people's emotions in schools and workplaces; medical and safety uses are excepted. Before a demonstration "
        "there, ask those who answer for such questions in your school or firm. The samples and drawn faces serve "
        "where nobody's own face should."
    )
with privacy:
    st.subheader("Where pictures go")
    st.markdown(
        "A picture that you upload or take stays in your browser and in the memory of the computer that runs this app. "
        "It is never written to disk, never sent to another host and never used for training. It is dropped when you "
        "choose another one or close the tab.\n\n"
        "The app listens to this computer only, and reports nothing to anybody."
    )

with st.expander("Licence and weights"):
    st.markdown(
        "The code is under the Apache License 2.0. That licence covers the code only. The weights in `checkpoints/` "
        "were trained on FER2013, pictures from a web search without documented consent of the people shown: use them "
        "for research and teaching."
    )
