"""Train: start a training run, watch it, and compare the network before and after."""

import streamlit as st

from workbench.ui import classroom, views
from workbench.ui.training import form, live, outcome, own, queue

views.title("Train", "How does a network learn, epoch by epoch?")
job = live.chosen()
if job is not None:
    outcome.show(job)
else:
    if classroom.teacher():
        own.show_notes()
        form.show()
        own.offer()
    queue.table()
    if classroom.teacher():
        queue.bring()

with views.computed(
    "models.training.trainer:Trainer.train_epoch",
    "workbench.jobs.runner:submit",
    "workbench.services.training.epochs:process_epochs",
    "workbench.services.training.outcome:before_after",
):
    st.markdown(
        "An epoch passes every training image through the network once (balanced sampling: rare classes more often), "
        "one batch a step. The loss $L$ compares the predicted probabilities with the labels, and each weight $w$ "
        "moves against its gradient, at the learning rate $\\eta$:"
    )
    st.latex(r"w \leftarrow w - \eta\,\frac{\partial L}{\partial w}, \qquad L = -\frac1N\sum_i \ln p_i(\text{label}_i)")
    st.markdown(
        "After each epoch the weights are saved. The app loads them, draws Grad-CAM on the two faces, measures the "
        "accuracy on a sample of the validation set, and deletes them, except those of the first and the last epoch. "
        "The epoch with the highest validation accuracy becomes the checkpoint."
    )
classroom.teacher_or_stop("start and stop training runs")
