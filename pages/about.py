"""About: purpose, limits, where images go, and sources."""

from pathlib import Path

import streamlit as st

from workbench import navigation, services
from workbench.analysis.methods import EXPLAINERS
from workbench.server import access
from workbench.server.consent import NOT_FOR
from workbench.services import papers
from workbench.ui import views

views.title("About", "What is FERScope for, and what must it not be used for?")

use, limits, privacy = st.columns(3)
with use:
    st.header("What it is for")
    views.caption(
        "Teaching and research: how networks that classify facial expressions work, which image regions support a "
        "prediction, and where they fail.\n\n"
        "**The networks estimate the label that annotators would give a face, not what a person feels.** They were "
        "trained on FER2013, small gray images labeled by the words of a web search and checked by people. Annotators "
        "often disagree, and a face need not show a feeling at all."
    )
with limits:
    st.header("What it must not be used for")
    uses = "".join(f"- {use}\n" for use in NOT_FOR)
    views.caption(
        f"{uses}\n**In the European Union**, Article 5(1)(f) of the AI Act (Regulation 2024/1689) prohibits systems "
        "that infer people's emotions in schools and workplaces, except for medical or safety reasons. Before a "
        "demonstration there, ask the person responsible for data protection. Use the samples and drawn faces where "
        "nobody's own image should be used."
    )
with privacy:
    st.header("Where images go")
    seen = (
        "**This app serves the local network.** An image that you upload or take is sent over that network, "
        "unencrypted, to the computer that runs the app, and stays in its memory."
        if access.on_the_network()
        else "**This app serves this computer only.** An image that you upload or take stays in your browser and in "
        "the memory of this computer."
    )
    views.caption(
        f"{seen} It is not written to disk, not sent to another host, not shown to other visitors and not used for "
        "training. It is deleted when you choose another one or close the tab. No usage data is collected."
    )

with st.expander("Where images go, for each way to start"):
    st.markdown(
        "- **`ferscope app`, `make app`**: available on this computer only. An image stays in the browser and in the "
        "memory of this computer, until another one is chosen or the tab is closed.\n"
        "- **`ferscope app --lan`**: available in the local network; sharing and training need the access token. An "
        "image is sent over that network, unencrypted, to the memory of the teacher's computer, and is deleted as "
        "above.\n"
        "- **`ferscope demo`**: available on this computer only. An image is held in its memory, an upload also in a "
        "temporary file, and is deleted within 15 minutes.\n"
        "- **`ferscope demo --share`**: available to everybody who has the link. An image is sent through the servers "
        "of Gradio's tunnel, which others operate and which can read it, to the computer of the person who shares, "
        "where it is deleted as above. What these servers do with it is outside our control.\n"
        "- **A page of `ferscope export web`**: an image does not leave the visitor's browser."
    )
    st.markdown(
        "With `--lan` and in the demo, visitors accept a consent notice before camera or upload. Browsers allow the "
        "camera only on this computer or over https, so with `--lan` visitors upload a photo instead. `--samples-only` "
        "disables camera and upload. A file that you save with *Export* contains the face on the page: handle it with "
        "care."
    )

with st.expander("Limits"):
    st.markdown(
        "- **Labels are opinions.** FER2013 has one label per image; the ten annotators of FER+ often disagree with "
        "it. Accuracy is agreement with that label.\n"
        "- **Posed and web images.** CK+ and JAFFE contain posed expressions, FER2013 the results of a web search. "
        "Neither shows everyday expressions.\n"
        "- **No demographic labels.** The datasets do not say who is shown, and nothing is inferred here. Whether a "
        "network works equally well for all people cannot be measured with them.\n"
        "- **Maps are not reasons.** A map highlights where a method found evidence; other methods highlight other "
        "regions. The faithfulness tests on the page Explain tell how far a map can be trusted.\n"
        "- **Short training runs.** Most networks here were trained for a short time or not at all; each page says so, "
        "and the page Papers says what was not run."
    )

with st.expander("Sources: papers and datasets"):
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
        "- **The network that paper E reproduces**: He 2023, *Facial expression recognition using multi-branch "
        "attention convolutional neural network*, IEEE Access 11; doi 10.1109/ACCESS.2022.3233362\n"
        "- **Sample faces**: NASA (Eileen Collins) and the United States Navy (Grace Hopper), public domain; drawn "
        "faces are ours"
    )

with st.expander("Sources: methods"):
    cams = "; ".join(f"{explainer.title}: {explainer.paper}" for explainer in EXPLAINERS.values())
    st.markdown(
        f"**Maps.** {cams}.\n\n"
        "**Faithfulness of maps.** Petsiuk et al. 2018, BMVC (deletion, insertion); Rong et al. 2022, ICML (ROAD); "
        "Adebayo et al. 2018, NeurIPS (sanity checks).\n\n"
        "**Attention.** Hu et al. 2018, CVPR (squeeze-and-excitation); Woo et al. 2018, ECCV (CBAM); Park et al. 2018, "
        "BMVC (BAM); Vaswani et al. 2017, NeurIPS (self-attention); Abnar and Zuidema 2020, ACL (rollout); Jain and "
        "Wallace 2019, NAACL (attention is not explanation).\n\n"
        "**Probabilities.** Guo et al. 2017, ICML (temperature scaling); Gal and Ghahramani 2016, ICML (MC dropout)."
    )

with st.expander("Documentation"):
    guides = "".join(f"- {title}: `docs/pages/{Path(file).stem}.md`\n" for file, title, *_ in navigation.PAGES)
    st.markdown(
        "In the repository, `make docs` builds the documentation site into `site/`: open `site/index.html`. The same "
        "can be read in the folder `docs/`, from `docs/index.md` on. The guide of each page:\n\n" + guides
    )

with st.expander("Citation and license"):
    st.markdown(
        "To cite FERScope and the papers and datasets that it uses, see `CITATION.cff` in the repository.\n\n"
        "The code is under the Apache License 2.0, which covers the code only. The weights in `checkpoints/` were "
        "trained on FER2013, images from a web search without documented consent of the people shown: use them for "
        "research and teaching. The votes of FER+ are Microsoft's, under the MIT License. No image of any dataset is "
        "part of the project."
    )
