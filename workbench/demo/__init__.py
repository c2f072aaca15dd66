"""The public demo: a Gradio page behind a gateway, in a process of its own."""
