"""*How it is computed* under the tabs of each page: texts with equations, and the functions whose code is shown.

One module for a page. `views.tabs` takes its `HOW`.
"""
