"""The one error of images that cannot be used."""


class PictureError(ValueError):
    """An image that cannot be used; the message says what to do."""
