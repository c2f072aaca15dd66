"""Sections of the page Train: the form, the job that is watched, what came of it, the queue, people's own pictures."""
