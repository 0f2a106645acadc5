"""What the readers of image files share, in training and in the packed runtime. Imports the standard library alone."""
import io

#: Endings of image files that both Pillow and OpenCV read.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
# How files begin and end whose missing rest OpenCV 4 fills with grey, without an error.
_ENDS = ((b'\xff\xd8', b'\xff\xd9'), (b'\x89PNG', b'IEND\xaeB`\x82'))


def is_truncated(content: bytes) -> bool:
    """Whether the end of an image file is missing, of formats for which a decoder may keep silent about it.

    Args:
        content (bytes): The file.
    """
    for start, end in _ENDS:
        if content.startswith(start) and not content.endswith(end):
            # Bytes after the end are no fault; only a full decoding tells.
            from PIL import Image  # only images that look cut off need it
            try:
                Image.open(io.BytesIO(content)).load()
            except (OSError, SyntaxError, Image.DecompressionBombError):  # what is too large to be looked at is not trusted
                return True
    return False
