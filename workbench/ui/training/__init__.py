"""Sections of the page Train: the form, the job that is watched, its results, the queue, images of a user's own."""
