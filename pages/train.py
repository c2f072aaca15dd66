"""Train: start a training run, watch it, and compare the network before and after."""

from workbench.ui import classroom, views
from workbench.ui.how_computed.train import HOW
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

views.how_computed(*HOW)
classroom.teacher_or_stop("start and stop training runs")
