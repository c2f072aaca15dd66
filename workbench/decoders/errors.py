"""The one error of images and videos that cannot be used."""


class PictureError(ValueError):
    """An image or a video that cannot be used; the message says what to do."""
