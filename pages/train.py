"""Train: shall we watch it learn?"""

import streamlit as st

from workbench.ui import classroom, views
from workbench.ui.training import form, live, outcome, own, queue

views.title(
    "Shall we watch it learn?",
    "A training runs beside this page, in a process of its own: close the tab, come back, and it is still there.",
)
job = live.chosen()
if job is not None:
    live.show(job)
    if not job.alive and job.has_checkpoint:
        outcome.show(job)
elif classroom.teacher():
    own.say_notes()
    form.show()
    own.offer()
queue.table()
if job is None and classroom.teacher():
    queue.bring()

with views.computed(
    "models.training.engine:Run.epoch",
    "workbench.jobs.runner:submit",
    "workbench.services.trainings.epochs:look",
    "workbench.services.trainings.afterwards:before_after",
):
    st.markdown(
        "Each epoch shows every training picture once (balanced sampling: rare classes more often), in steps of one "
        "batch: the loss says how far the answers are "
        "from the labels, and each weight $w$ moves a little against its slope, at the learning rate $\\eta$:"
    )
    st.latex(r"w \leftarrow w - \eta\,\frac{\partial L}{\partial w}, \qquad L = -\frac1N\sum_i \ln p_i(\text{label}_i)")
    st.markdown(
        "After each epoch its weights are laid down; the app loads them, draws Grad-CAM on the two faces and counts "
        "right answers on a sample of the validation part, once for all who watch, and deletes them except the first "
        "and the last. The epoch with the best validation accuracy is the checkpoint."
    )
classroom.teacher_or_stop("start and stop trainings")
