"""Lessons: an overview, and lessons of five minutes, each with a prediction before the result."""

import streamlit as st

from workbench.ui import lessons, state, views

head = st.container()
left, right = st.columns(2, vertical_alignment="bottom")
with left:
    lesson = lessons.choose_lesson(lessons.LESSONS)
with head:
    views.title("Lessons", lesson.question if lesson else "How do these networks work, in five minutes each?")
if lesson is None:
    lessons.overview(lessons.LESSONS)
    state.stop()

face, chosen = state.face_or_stop() if lesson.uses_face else None, state.network()
key = face.key if face else ""
try:
    with st.spinner("Computing the lesson"):
        network = lesson.network(chosen)
        found = state.cached(("lesson", lesson.key, key, network), lambda: lesson.find(face, network))
except ValueError as error:  # a damaged checkpoint, no network that suits: the message says what to do
    st.error(str(error))
    state.stop()

open_lesson = lessons.OpenLesson(lesson, network, key if lesson.of_face else "")
with right:
    step = lessons.choose_step(open_lesson)
lessons.network_note(open_lesson, chosen)
lessons.run(open_lesson, step, found, lessons.following(lesson))
