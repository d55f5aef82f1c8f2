"""Files, arrays and Pillow's images to one small upright picture in red, green and blue."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.content import UnreadableError, looks_like_file

__all__ = ["MAGIC", "SUFFIXES", "Fit", "Picture", "framed", "given_picture", "read_picture", "shrunk"]

Pixels = npt.NDArray[np.uint8]  # H x W x 3
Fit = Literal["letterbox", "stretch"]

MAGIC = (  # ? is any byte
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM????\x00\x00\x00\x00",
    b"II*\x00",
    b"MM\x00*",
    b"RIFF????WEBP",
)
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".gif", ".bmp", ".tif", ".tiff", ".webp"})

MAX_PAGES = 999
ORIENTATION = 0x0112  # of EXIF


@cache
def _broken() -> tuple[type[Exception], ...]:
    """What Pillow's decoders raise on files that are not what they say."""
    from PIL.Image import DecompressionBombError

    said = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError)
    return (*said, RuntimeError, AssertionError, MemoryError, struct.error, zlib.error, DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """A picture as it is seen: upright, on white where it is transparent.

    Parameters
    ----------
    pixels
        uint8 ``H x W x 3``, shrunk if the file's picture is larger than was asked for.
    width, height
        Of the whole picture, in pixels, upright.
    pages
        Pages or frames of the file, of which the first is read (counted up to 999).
    transparent
        Whether some of the file's pixels may be seen through.
    """

    pixels: Pixels
    width: int
    height: int
    pages: int = 1
    transparent: bool = False


def read_picture(data: bytes, edge: int, max_pixels: int) -> Picture:
    """Decode the first page of a PNG, JPEG, GIF, BMP, TIFF or WebP file.

    Parameters
    ----------
    edge
        Pixels that the longer side of the result has at most.
    max_pixels
        Pixels that the file's picture may have; it is judged by its header, before anything is decoded.

    Raises
    ------
    UnreadableError
        If the file is none of these, damaged, cut short, or too large.
    """
    with _quiet():
        image = _opened(data)
        _check_size(image.size, max_pixels)
        try:
            width, height = image.size
            scale = edge / max(image.size)
            if scale < 1:  # JPEG alone can decode at 1/2, 1/4 or 1/8 for less
                image.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
            image.load()
            turned = _turns(image)
            if turned >= 5:
                width, height = height, width
            pixels, transparent = _seen(image, edge, turned)
        except _broken() as error:
            raise UnreadableError(_reason(error)) from None
        return Picture(pixels, width, height, _pages(image), transparent)


def given_picture(cell: object, edge: int, max_pixels: int) -> Picture | None:
    """The same from a decoded cell: a Pillow image, or an array ``H x W``, ``H x W x 1``, ``x 3`` or ``x 4``.

    Arrays of 8 and 16 bits (unsigned) span their type's range; other integers go to 255, or to 65,535 if one of them
    exceeds 255; floats to 1, 255 or 65,535 likewise. A fourth channel is opacity. None for any other cell.

    Raises
    ------
    UnreadableError
        If the array has another shape, type or range, or the picture is too large.
    """
    from PIL import Image

    if isinstance(cell, np.ndarray):
        if cell.ndim >= 2:
            _check_size(cell.shape[1::-1], max_pixels)
        cell = Image.fromarray(_as_bytes(cell, cell.dtype == np.uint16))
    if not isinstance(cell, Image.Image):
        return None
    _check_size(cell.size, max_pixels)
    with _quiet():
        try:
            cell.load()
            turned = _turns(cell)
            pixels, transparent = _seen(cell, edge, turned)
            pages = min(int(getattr(cell, "n_frames", 1)), MAX_PAGES)
        except _broken() as error:
            raise UnreadableError(_reason(error)) from None
        width, height = cell.size[::-1] if turned >= 5 else cell.size
        return Picture(pixels, width, height, pages, transparent)


def shrunk(pixels: Pixels, edge: int) -> Pixels:
    """The picture with its longer side at most `edge` pixels, in the same proportions."""
    height, width = pixels.shape[:2]
    scale = edge / max(height, width)
    return pixels if scale >= 1 else _sized(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def framed(pixels: Pixels, height: int, width: int, fit: Fit = "letterbox") -> Pixels:
    """The picture at a size.

    Parameters
    ----------
    pixels
        uint8 ``H x W x 3``.
    fit
        ``"stretch"``, or ``"letterbox"``: proportions are kept, and the rest has the colour of the picture's border.
    """
    if fit == "stretch":
        return _sized(pixels, height, width)
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    inner = _sized(pixels, *(max(1, round(side * scale)) for side in pixels.shape[:2]))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    out = np.empty((height, width, 3), np.uint8)
    out[:] = np.sort(border, axis=0)[len(border) // 2]
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    out[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return out


def _sized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Averaged where it shrinks, interpolated where it grows."""
    from PIL import Image

    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = height <= pixels.shape[0] and width <= pixels.shape[1]
    how = Image.Resampling.HAMMING if smaller else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize((width, height), how))


def _opened(data: bytes) -> Any:
    """The image, opened by what it begins with and by no other decoder, whatever the file is called.

    Not by `PIL.Image.open`, which tries decoders in turn and judges sizes by a global of its own.
    """
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    decoders: dict[bytes, Any] = {
        b"\x89P": PngImagePlugin.PngImageFile,
        b"\xff\xd8": JpegImagePlugin.JpegImageFile,
        b"GI": GifImagePlugin.GifImageFile,
        b"BM": BmpImagePlugin.BmpImageFile,
        b"II": TiffImagePlugin.TiffImageFile,
        b"MM": TiffImagePlugin.TiffImageFile,
        b"RI": WebPImagePlugin.WebPImageFile,
    }
    if not looks_like_file(data, SUFFIXES, MAGIC):
        raise UnreadableError("no PNG, JPEG, GIF, BMP, TIFF or WebP file")
    try:
        return decoders[data[:2]](io.BytesIO(data))
    except _broken() as error:
        raise UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    told = " ".join(str(error).split())[:120]
    return f"damaged picture: {told or type(error).__name__}"


def _check_size(size: tuple[int, ...], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableError(f"a picture of {width} x {height} pixels")
    if width * height > max_pixels:
        raise UnreadableError(f"{width:,} x {height:,} pixels (allowed: {max_pixels:,} in all)")


def _pages(image: Any) -> int:
    """Pages that can be found; a file whose later pages are damaged has those before."""
    try:
        if image.format != "TIFF":
            return min(int(getattr(image, "n_frames", 1)), MAX_PAGES)
        pages = 1
        while pages < MAX_PAGES:
            image.seek(pages)
            pages += 1
    except _broken():
        return 1 if image.format != "TIFF" else pages
    return pages


def _turns(image: Any) -> int:
    """How the file says it lies: 1 upright to 8; a damaged note of it says nothing."""
    try:
        told = image.getexif().get(ORIENTATION, 1)
    except _broken():
        return 1
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def _seen(image: Any, edge: int, turned: int) -> tuple[Pixels, bool]:
    """Shrunk, in colour, on white and upright; and whether it is transparent."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_as_bytes(np.asarray(image), image.mode.startswith("I;16")))
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    # Colours of a palette, and single bits, cannot be averaged; what one colour hides must be known before it is.
    if image.mode in ("P", "PA") or (transparent and image.mode in ("1", "L", "RGB")):
        image = image.convert("RGBA" if transparent else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    width, height = image.size
    scale = edge / max(width, height)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.ascontiguousarray(_upright(np.asarray(image.convert("RGB")), turned)), transparent


def _upright(pixels: Pixels, turned: int) -> Pixels:
    """Undo the orientation that EXIF tells (CIPA DC-008, tag 274)."""
    if turned in (5, 6, 7, 8):  # rows and columns are exchanged
        pixels = pixels.swapaxes(0, 1)
    if turned in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _as_bytes(array: Array, sixteen: bool) -> Pixels:
    """An array of any allowed type as uint8 ``H x W`` or ``H x W x 3 or 4``; `sixteen` bits reach to 65,535."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or not array.size:
        shape = " x ".join(map(str, array.shape))
        raise UnreadableError(f"an array of shape {shape or 'none'} (allowed: H x W, H x W x 1, 3 or 4)")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    kind = array.dtype
    if kind.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == np.uint8:
        return np.ascontiguousarray(array)
    if kind.kind not in "iuf":
        raise UnreadableError(f"an array of {kind} is no picture")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all() or low < 0 or high > 65535:
        raise UnreadableError(f"an array with brightness from {low:.6g} to {high:.6g} (allowed: 0 to 65,535)")
    full = 65535 if sixteen or high > 255 else 1 if kind.kind == "f" and high <= 1 else 255
    return (array.astype(np.float32) * np.float32(255 / full) + np.float32(0.5)).astype(np.uint8)


class _Quiet:
    """Pillow's warnings, silenced while any thread decodes.

    `warnings.catch_warnings` alone is not made for threads: those that leave in another order than they entered would
    leave the filters changed. Here the first to enter changes them, and the last to leave puts them back.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.caught = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if self.inside == 0:
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if self.inside == 0:
                    self.caught.__exit__(None, None, None)


_quiet = _Quiet()
