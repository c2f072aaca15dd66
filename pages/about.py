"""About: purpose, limits, where images go, and sources."""

import streamlit as st

from workbench import services
from workbench.analysis.methods import EXPLAINERS
from workbench.server import access
from workbench.services import papers
from workbench.ui import views

views.title("About", "What is FERScope for, and what must it not be used for?")

use, limits, privacy = st.columns(3)
with use:
    st.subheader("What it is for")
    views.caption(
        "Teaching and research: seeing what in a picture carried a network's answer, and how little that may "
        "prove.\n\n"
        "**A network here predicts what raters called a face, not what a person feels.** It learned from FER2013, "
        "small gray pictures whose labels are the words that were searched for on the web, checked by people. Raters "
        "often disagree, and a face need not show a feeling at all."
    )
with limits:
    st.subheader("What it must not be used for")
    views.caption(
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
    seen = (
        "**This app serves the local network.** A picture that you upload or take goes over that network, unencrypted, "
        "to the computer that runs the app, and stays in its memory."
        if access.on_the_network()
        else "**This app serves this computer only.** A picture that you upload or take stays in your browser and in "
        "the memory of this computer."
    )
    views.caption(
        f"{seen} It is not written to disk, not sent to another host, not shown to other visitors and not used for "
        "training. It is dropped when you choose another one or close the tab. Nobody is counted or reported."
    )

with st.expander("Where pictures go, for each way to start"):
    st.markdown(
        "- **`ferscope app`, `make app`**: reached from this computer only. A picture goes into the browser and the "
        "memory of this computer; nothing of it is left once another one is chosen or the tab is closed.\n"
        "- **`ferscope app --lan`**: reached from the local network; only who has the teacher's token may share or "
        "train. A picture goes over that network, unencrypted, into the memory of the teacher's computer; nothing is "
        "left, as above.\n"
        "- **`ferscope demo`**: reached from this computer only. A picture goes into its memory, an upload also into a "
        "temporary file, and is deleted within 15 minutes.\n"
        "- **`ferscope demo --share`**: reached by everybody who has the link. A picture travels through the servers "
        "of Gradio's tunnel, which other people run and which can read what passes, to the computer of the person who "
        "shares, where it is deleted as above. What the tunnel's servers do with it is not in our hands."
    )
    st.markdown(
        "With `--lan` and in the demo a visitor accepts a notice with these limits before camera or upload. Browsers "
        "give the camera only to this computer or over https, so with `--lan` visitors upload a photo instead. "
        "`--samples-only` leaves no camera and no upload. A file that you save with *Keep this* contains the face that "
        "is on the page: it is yours to look after."
    )

with st.expander("What it cannot tell"):
    st.markdown(
        "- **Labels are opinions.** FER2013 has one label a picture; where ten raters looked again (FER+) they often "
        "disagree. Agreement with a label is what accuracy means here.\n"
        "- **Posed and searched faces.** CK+ and JAFFE show acted expressions, FER2013 what a web search returned. "
        "Neither is everyday life.\n"
        "- **Nobody knows who is in it.** The sets carry no groups of people, and none are inferred here. That a "
        "network serves all people equally well cannot be shown with them.\n"
        "- **Maps are not reasons.** A map highlights where a method found evidence; other methods highlight other "
        "places, and the badge on the page Explain says how far one can be trusted.\n"
        "- **Short trainings.** Most networks here were trained shortly or not at all; each page says so, and the page "
        "Papers says what was not run."
    )

with st.expander("Whose work it rests on: the papers and sets"):
    for paper in papers.papers():
        named = f"{paper.authors}: *{paper.title}*; " if paper.title else f"{services.networks.paper(paper.letter)}; "
        st.markdown(f"**Paper {paper.letter}.** {named}{paper.source}.")
    st.markdown(
        "- **FER2013**: Goodfellow, Erhan, Carrier, Courville et al. 2013, *Challenges in representation learning: a "
        "report on three machine learning contests*, Neural Networks 64 (2015); doi 10.1016/j.neunet.2014.09.005\n"
        "- **FER+**: Barsoum, Zhang, Canton Ferrer and Zhang 2016, *Training deep networks for facial expression "
        "recognition with crowd-sourced label distribution*, ICMI; arXiv:1608.01041\n"
        "- **CK+**: Lucey, Cohn, Kanade, Saragih, Ambadar and Matthews 2010, *The extended Cohn-Kanade dataset*, CVPR "
        "workshops; doi 10.1109/CVPRW.2010.5543262\n"
        "- **JAFFE**: Lyons, Kamachi and Gyoba, *Coding facial expressions with Gabor wavelets*; arXiv:2009.05938\n"
        "- **The network that paper E rebuilds**: He 2023, *Facial expression recognition using multi-branch attention "
        "convolutional neural network*, IEEE Access 11; doi 10.1109/ACCESS.2022.3233362\n"
        "- **Sample faces**: NASA (Eileen Collins) and the United States Navy (Grace Hopper), public domain; drawn "
        "faces are ours"
    )

with st.expander("Whose work it rests on: methods"):
    cams = "; ".join(f"{explainer.title}: {explainer.paper}" for explainer in EXPLAINERS.values())
    st.markdown(
        f"**Maps.** {cams}.\n\n"
        "**Trust in maps.** Petsiuk et al. 2018, BMVC (deletion, insertion); Rong et al. 2022, ICML (ROAD); Adebayo et "
        "al. 2018, NeurIPS (sanity checks).\n\n"
        "**Attention.** Hu et al. 2018, CVPR (squeeze-and-excitation); Woo et al. 2018, ECCV (CBAM); Park et al. 2018, "
        "BMVC (BAM); Vaswani et al. 2017, NeurIPS (self-attention); Abnar and Zuidema 2020, ACL (rollout); Jain and "
        "Wallace 2019, NAACL (attention is not explanation).\n\n"
        "**Probabilities.** Guo et al. 2017, ICML (temperature scaling); Gal and Ghahramani 2016, ICML (MC dropout)."
    )

with st.expander("How to cite, license, weights"):
    st.markdown(
        "`CITATION.cff` in the repository says how to cite FERScope and names the papers and sets that it rests on.\n\n"
        "The code is under the Apache License 2.0. That license covers the code only. The weights in `checkpoints/` "
        "were trained on FER2013, pictures from a web search without documented consent of the people shown: use them "
        "for research and teaching. The votes of FER+ are Microsoft's, under the MIT License. No picture of any set is "
        "part of the project."
    )
