"""Training runs as jobs: each has its own process and folder, and keeps running after the tab or the app is closed.

`store` reads jobs, `runner` starts, stops, resumes and removes them, `limits` protects a shared computer, `transfer`
copies a finished one to `checkpoints/` or to another FERScope. `ferscope jobs` does the same in a terminal.
"""
