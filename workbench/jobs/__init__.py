"""Trainings as jobs: each a process and a folder of its own, which neither a closed tab nor the app's end disturbs.

`store` reads what there is, `runner` starts, stops, resumes and removes, `limits` says how much of it this computer
bears, `parcels` carries a finished one to `checkpoints/` or to another FERScope. `python -m workbench.jobs`, as
`ferscope jobs`, does the same in a terminal.
"""
