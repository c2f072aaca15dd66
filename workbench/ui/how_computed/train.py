"""The page Train: how its content is computed, and the functions that do it."""

HOW = (
    """
An epoch passes every training image through the network once (balanced sampling: rare classes more often), one batch a
step. The loss $L$ compares the predicted probabilities with the labels, and each weight $w$ moves against its gradient,
at the learning rate $\\eta$:

$$
w \\leftarrow w - \\eta\\,\\frac{\\partial L}{\\partial w}, \\qquad L = -\\frac1N\\sum_i \\ln p_i(\\text{label}_i)
$$

After each epoch the weights are saved. The app loads them, draws Grad-CAM on the two faces, measures the accuracy on a
sample of the validation set, and deletes them, except those of the first and the last epoch. The epoch with the highest
validation accuracy becomes the checkpoint.
""",
    "models.training.trainer:Trainer.train_epoch",
    "workbench.jobs.runner:submit",
    "workbench.services.training.epochs:process_epochs",
    "workbench.services.training.outcome:before_after",
)
