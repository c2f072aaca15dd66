"""Decode untrusted image and video files; what is hard to bound is decoded in a process of its own, with limits.

Nothing here imports more than Pillow and numpy until a file needs it, so that such a process starts within 0.2 s.
"""
