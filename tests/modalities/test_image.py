"""The room of pictures: what it reads and refuses, what it says of a picture, and what a hostile file costs."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw

from plait import registry
from plait.contracts import MAX_FEATURES, Batch, Column, FitContext, Source
from plait.errors import ArtifactError, ConfigError
from plait.media.pixels import pixel_features, pixel_names
from plait.media.shapes import components
from plait.modalities.image import Image

RED, GREEN, BLUE, WHITE = (200, 30, 20), (10, 180, 60), (20, 40, 220), (255, 255, 255)


def column(cells, folder=None) -> Column:
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("scan", values, np.array([cell is not None for cell in cells], bool), folder=folder)


def room(**options) -> Image:
    return Image(Source("scan", "image", ("scan",), {"scan": options}))


def read(cells, folder=None, **options) -> Batch:
    return room(**options).transform((column(cells, folder and str(folder)),))


def told(cell, **options) -> dict[str, float]:
    made = room(**options)
    features = made.features(made.transform((column([cell]),)))
    assert features.present.all(), made.transform((column([cell]),)).faults
    names = (name.removeprefix("scan.") for name in features.names)
    return dict(zip(names, features.values[0].tolist(), strict=True))


def pixels(cell, **options):
    batch = read([cell], **options)
    assert batch.present[0], batch.faults
    return batch.arrays["pixels"][0]


def quarters(width=48, height=32) -> Pillow.Image:
    """Red, green, blue and white quarters: every turn of it looks different."""
    image = Pillow.new("RGB", (width, height), WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    return image


def file(image, kind="PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def corners(array):
    """The colours in the middle of the four quarters."""
    height, width = array.shape[:2]
    places = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(array[place].tolist()) for place in places]


def near(found, wanted, tolerance=40) -> bool:
    return bool((np.abs(np.array(found, int) - np.array(wanted, int)) <= tolerance).all())


# what is read


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_every_format_by_any_name_and_in_every_form(kind, tmp_path):
    data = file(quarters(), kind)
    (tmp_path / "wrong.gif").write_bytes(data)
    text = base64.b64encode(data).decode()
    forms = [data, "wrong.gif", tmp_path / "wrong.gif", text, f"data:image/png;base64,{text}"]
    forms += [{"bytes": data, "path": None}, {"bytes": None, "path": "wrong.gif"}, memoryview(data)]
    batch = read(forms, tmp_path, fit="stretch")
    assert batch.faults == ()
    for found in batch.arrays["pixels"]:
        assert near(corners(found), [RED, GREEN, BLUE, WHITE])
    np.testing.assert_array_equal(batch.arrays["numbers"], np.repeat(batch.arrays["numbers"][:1], len(forms), axis=0))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK", "I;16", "F", "I"])
def test_modes_of_pillow_images_look_alike(mode):
    grey = quarters().convert("L")
    if mode == "I;16":
        image = Pillow.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    elif mode in ("F", "I"):
        image = Pillow.fromarray(np.asarray(grey).astype(np.float32 if mode == "F" else np.int32))
    else:
        image = quarters().convert(mode)
    found = pixels(image, fit="stretch")
    colourful = mode in ("RGB", "RGBA", "P", "CMYK")
    wanted = quarters() if colourful else quarters().convert("1" if mode == "1" else "L").convert("RGB")
    if mode == "1":
        assert found[40:, 40:].min() == 255
    else:
        assert near(corners(found), corners(np.asarray(wanted)), 25)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *(("P", "PNG"), ("P", "GIF"), ("1", "PNG"), ("1", "TIFF"), ("LA", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF")),
        *(("RGBA", "WEBP"), ("RGBA", "TIFF"), ("L", "JPEG"), ("L", "BMP"), ("YCbCr", "JPEG")),
    ],
)
def test_modes_of_files(mode, kind):
    found = pixels(file(quarters().convert(mode), kind), fit="stretch")
    assert near(found[50:62, 50:62], np.full((12, 12, 3), 255), 12)
    if mode in ("P", "RGBA", "CMYK", "YCbCr"):
        assert near(corners(found), [RED, GREEN, BLUE, WHITE], 60)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits(kind):
    ramp = (np.arange(64, dtype=np.uint16) * 1024)[None].repeat(64, axis=0)
    found = pixels(file(Pillow.fromarray(ramp), kind))
    np.testing.assert_allclose(found[:, :, 0].astype(int), ramp // 257, atol=2)


def test_sixteen_bits_that_are_dark_stay_dark():
    assert pixels(file(Pillow.fromarray(np.full((20, 20), 200, np.uint16)))).max() <= 1


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright(turn, kind):
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what Pillow calls the turn that leads to `turn`
    image = quarters() if turn == 1 else quarters().transpose(Pillow.Transpose(undone[turn]))
    exif = Pillow.Exif()
    exif[0x0112] = turn
    data = file(image, kind, exif=exif)
    batch = read([data], fit="stretch")
    assert near(corners(batch.arrays["pixels"][0]), [RED, GREEN, BLUE, WHITE], 60)
    numbers = told(data)
    assert (numbers["width"], numbers["height"]) == (48, 32)


def test_broken_exif_says_nothing():
    data = file(quarters(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert near(corners(pixels(data, fit="stretch")), [RED, GREEN, BLUE, WHITE], 60)


def test_what_is_transparent_lies_on_white():
    image = quarters().convert("RGBA")
    image.putalpha(Pillow.new("L", image.size, 0))
    for cell in (image, file(image), file(image, "WEBP"), np.asarray(image), file(image.convert("LA"))):
        assert pixels(cell).min() == 255
        assert told(cell)["transparent"] == 1
    keyed = Pillow.new("P", (20, 20), 3)
    keyed.putpalette([9] * 768)
    data = file(keyed, transparency=3)
    assert pixels(data).min() == 255
    assert told(file(quarters()))["transparent"] == 0


def test_of_several_pages_the_first_is_read_and_all_are_counted():
    pages = [Pillow.new("RGB", (20, 30), shade) for shade in (RED, GREEN, BLUE)]
    for kind in ("TIFF", "GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        batch = read([file(pages[0], kind, save_all=True, append_images=pages[1:], **options)])
        assert batch.faults == ()
        assert near(batch.arrays["pixels"][0, 32, 32], RED, 3)
        assert batch.arrays["numbers"][0, 3] == 3
    assert told(pages[0])["pages"] == 1


def test_a_damaged_second_page_leaves_the_first():
    data = file(quarters(), "TIFF", save_all=True, append_images=[quarters()])
    assert told(data[: len(data) * 6 // 10])["pages"] >= 1


@pytest.mark.parametrize(
    "array",
    [
        np.asarray(quarters()),
        np.asarray(quarters()).astype(np.uint16) * 257,
        np.asarray(quarters()) / 255,
        np.asarray(quarters()).astype(np.float32),
        np.asarray(quarters()).astype(np.int64),
        np.asarray(quarters())[::-1][::-1],
        np.asarray(quarters().convert("RGBA")),
    ],
)
def test_arrays_of_every_type(array):
    assert near(corners(pixels(array, fit="stretch")), [RED, GREEN, BLUE, WHITE], 3)


def test_grey_arrays():
    grey = np.asarray(quarters().convert("L"))
    for array in (grey, grey[:, :, None], grey / 255):
        found = pixels(array, fit="stretch")
        assert near(corners(found)[3], WHITE)
        np.testing.assert_array_equal(found[:, :, 0], found[:, :, 2])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (np.zeros((4, 4, 2)), "shape 4 x 4 x 2"),
        (np.zeros(7), "shape 7"),
        (np.zeros((0, 5)), "5 x 0 pixels"),
        (np.full((4, 4), -1.0), "from -1 to -1"),
        (np.full((4, 4), np.nan), "from nan"),
        (np.full((4, 4), 1e6), "to 1e+06"),
        (np.array([["a"]]), "no picture"),
        (np.zeros((2000, 2000), np.uint8), "2,000 x 2,000 pixels"),
        (b"", "0 bytes"),
        (b"%PDF-1.7 and so on", "no PNG, JPEG"),
        (b"GIF89a", "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "damaged"),
        ("https://example.org/a.png", "a URL"),
        ("../a.png", "where no path is opened"),
        (7, "a int"),
        (file(quarters())[:90], "damaged"),
        (file(quarters(300, 300), "JPEG")[:900], "damaged"),
        (file(quarters(300, 300), "TIFF")[:-9000], "damaged"),
        (file(Pillow.new("RGB", (3000, 1000))), "3,000 x 1,000 pixels (allowed: 2,500,000 in all)"),
        (file(quarters(4, 4)).replace(b"IDAT", b"IDAX"), "damaged"),
    ],
)
def test_broken_cells_are_faults(cell, reason):
    batch = read([quarters(), cell], max_pixels=2_500_000)
    (fault,) = batch.faults
    assert (fault.row, fault.column) == (1, "scan")
    assert reason in fault.reason, fault.reason
    assert len(fault.reason) < 200
    assert batch.present.tolist() == [True, False]


def test_limits_of_bytes():
    assert "(allowed: 50)" in read([file(quarters())], max_bytes=50).faults[0].reason


def test_no_path_leaves_the_folder(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir(), outside.mkdir()
    (outside / "a.png").write_bytes(file(quarters()))
    (inside / "link.png").symlink_to(outside / "a.png")
    os.mkfifo(inside / "pipe.png")
    (inside / "folder.png").mkdir()
    cells = ["link.png", "../outside/a.png", str(outside / "a.png"), "pipe.png", "folder.png", "gone.png"]
    batch = read(cells, inside)
    assert not batch.present.any()
    reasons = [fault.reason for fault in batch.faults]
    assert [("leaves the data folder" in reason) for reason in reasons] == [True] * 3 + [False] * 3
    assert "no regular file" in reasons[3]
    assert read(cells[:3], inside, outside=True).present.all()


# what comes out


def test_letterbox_keeps_proportions_and_stretch_does_not():
    strip = np.full((20, 80, 3), 120, np.uint8)
    strip[5:15, 30:50] = 0
    kept, stretched = pixels(strip), pixels(strip, fit="stretch")
    assert kept[0, 0, 0] == kept[63, 63, 0] == 120
    dark = np.argwhere(kept[:, :, 0] < 60)
    assert np.ptp(dark[:, 1]) > np.ptp(dark[:, 0])
    dark = np.argwhere(stretched[:, :, 0] < 60)
    assert np.ptp(dark[:, 1]) < np.ptp(dark[:, 0])


def test_sizes_and_grey():
    assert pixels(quarters(), size=[24, 40]).shape == (24, 40, 3)
    assert pixels(quarters(), size=300).shape == (300, 300, 3)
    grey = pixels(quarters(), grey=True, fit="stretch")
    assert grey.shape == (64, 64, 1)
    assert near(grey[16, 16], 0.299 * 200 + 0.587 * 30 + 0.114 * 20, 3)


def test_features_are_named_bounded_and_tell_what_is_seen():
    red = told(Pillow.new("RGB", (400, 100), RED))
    assert len(red) <= MAX_FEATURES
    assert (red["width"], red["height"], red["aspect"], red["pages"]) == (400, 100, 4, 1)
    assert red["hue_red"] == 1
    assert red["ink"] == red["edges"] == 0
    image = Pillow.new("RGB", (200, 200), WHITE)
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 80, 80), fill=BLUE)
    draw.rectangle((120, 100, 180, 180), fill=(0, 0, 0))
    two = told(image)
    assert two["ink_shapes"] == pytest.approx(np.log1p(2))
    assert two["coloured_shapes"] == pytest.approx(np.log1p(1))
    assert two["coloured_shape0_roundness"] > 0.9
    assert two["ink_shape0_roundness"] == pytest.approx(0.62, abs=0.05)
    assert two["coloured_shape0_fill"] == pytest.approx(np.pi / 4, abs=0.02)
    assert two["ink_shape0_fill"] == 1
    assert two["margin_top"] == pytest.approx(0.1, abs=0.01)
    assert two["margin_right"] == pytest.approx(0.095, abs=0.01)


def test_lines_of_text_are_counted():
    page = Pillow.new("L", (200, 260), 255)
    draw = ImageDraw.Draw(page)
    for i in range(12):
        for j in range(20 + i % 3):
            draw.rectangle((20 + 7 * j, 20 + 18 * i, 23 + 7 * j, 26 + 18 * i), fill=0)
    found = told(page)
    assert found["row_lines"] == pytest.approx(np.log1p(12))
    assert found["row_rhythm"] > 0.95
    assert found["row_period"] == pytest.approx(18 / 256 * 256 / 260, abs=0.01)
    assert found["edges_along_axes"] > 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_components_are_those_of_scipy(height, width, share, seed):
    from scipy import ndimage

    mask = np.random.default_rng(seed).random((height, width)) < share
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    found = components(mask)
    assert len(found) == count
    np.testing.assert_array_equal(found.area, np.sort(np.bincount(labels.ravel())[1:])[::-1])
    assert found.area.sum() == mask.sum()
    boxes = ndimage.find_objects(labels)
    sides = sorted((box[0].start, box[1].start, box[0].stop, box[1].stop) for box in boxes)
    assert sides == sorted(zip(found.top, found.left, found.bottom, found.right, strict=True))
    assert (found.diameter >= np.maximum(found.bottom - found.top, found.right - found.left)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.sampled_from(["noise", "flat", "line"]), st.integers(0, 9))
def test_features_of_any_pixels_are_finite(height, width, kind, seed):
    rng = np.random.default_rng(seed)
    made = np.full((height, width, 3), rng.integers(256), np.uint8)
    if kind == "noise":
        made = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if kind == "line":
        made[height // 2] = 255 - made[height // 2]
    found = pixel_features(made)
    assert tuple(found) == pixel_names()
    assert all(np.isfinite(value) and abs(value) <= 1e3 for value in found.values()), found
    assert found == pytest.approx(pixel_features(made / 255), abs=1e-3)


def test_colours_and_shapes_do_not_depend_on_the_scale_of_values():
    with pytest.raises(ValueError, match="allowed: H x W x 3"):
        pixel_features(np.zeros((3, 3)))


# readers


class Toy:
    """Reads how red a picture is, and how large the copy was that it got."""

    name, version, names = "toy", 1, ("redness", "longer", "unknown")

    def read(self, seen):
        assert seen.dtype == np.uint8
        return {"redness": float(seen[:, :, 0].mean()), "longer": max(seen.shape), "surplus": 1.0}


def test_a_reader_joins_the_features(monkeypatch):
    monkeypatch.setitem(registry.KINDS["readers"], "toy", f"{__name__}:Toy")
    registry._table.cache_clear()
    made = room(read="toy")
    batch = made.transform((column([quarters(3000, 1500), None]),))
    features = made.features(batch)
    values = dict(zip(features.names, features.values[0].tolist(), strict=True))
    assert values["scan.read.longer"] == 1024
    assert values["scan.read.redness"] == pytest.approx((200 + 10 + 20 + 255) / 4, abs=1)
    assert np.isnan(values["scan.read.unknown"])
    assert not features.present[1].any()
    again = Image.from_state(made.source, made.state())
    assert again.features(batch).names == features.names
    with pytest.raises(ArtifactError, match="another version of its reader"):
        Image.from_state(room().source, made.state())
    monkeypatch.undo()
    registry._table.cache_clear()
    with pytest.raises(ConfigError, match="unknown reader 'toy'"):
        room(read="toy")


# options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sise": 64}, "did you mean 'size'"),
        ({"size": 4}, "8 to 1,024"),
        ({"size": [64]}, "or \\[height, width\\]"),
        ({"fit": "crop"}, "unknown fit"),
        ({"augment": "wild"}, "allowed: light, none, strong"),
        ({"flip": "yes"}, "true or false"),
        ({"max_pixels": 0}, "from 1"),
        ({"encoder": "pixel_cnv"}, "did you mean 'pixel_conv'"),
        ({"read": "nothing"}, "unknown reader"),
    ],
)
def test_options_are_checked(options, said):
    with pytest.raises(ConfigError, match=said):
        room(**options)


# tokens


@pytest.mark.parametrize("kind", ["pixel_conv", "pixel_patches", "pixel_rows"])
@pytest.mark.parametrize("size", [64, [40, 96], [8, 13]])
def test_encoders_give_few_tokens_and_learn(kind, size):
    torch.manual_seed(0)
    made = room(encoder=kind, size=size, flip=True, augment="strong", grey=size == 64)
    inputs = made.inputs(made.transform((column([quarters(), None, quarters(9, 70), Pillow.new("L", (8, 8))]),)))
    encoder = made.encoder(32)
    tensors = encoder.collate(inputs)
    assert tensors["pixels"].dtype == torch.uint8
    tokens = encoder(tensors)
    assert tokens.values_BTD.shape[0] == 4
    assert 1 <= tokens.values_BTD.shape[1] <= 16
    assert tokens.mask_BT.any(dim=1).tolist() == [True, False, True, True]
    assert not tokens.values_BTD[1].any()
    tokens.values_BTD.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())
    nobody = encoder({**tensors, "present": torch.zeros(4, dtype=torch.bool)})
    assert not nobody.mask_BT.any()


def test_pictures_are_changed_in_training_only():
    torch.manual_seed(0)
    for augment, flip, moves in (("light", False, True), ("none", True, True), ("none", False, False)):
        made = room(augment=augment, flip=flip, encoder="pixel_patches")
        encoder = made.encoder(16)
        tensors = encoder.collate(made.inputs(made.transform((column([quarters()] * 8),))))
        torch.manual_seed(1)
        first, second = encoder(tensors).values_BTD, encoder(tensors).values_BTD
        assert torch.equal(first, second) != moves
        torch.manual_seed(1)
        assert torch.equal(first, encoder(tensors).values_BTD)
        encoder.eval()
        assert torch.equal(encoder(tensors).values_BTD, encoder(tensors).values_BTD)


def test_shifts_are_small():
    from plait.layers.pictures import PixelConv

    torch.manual_seed(0)
    encoder = PixelConv(8, (64, 64))
    seen = torch.zeros(200, 3, 64, 64)
    seen[:, :, 28:36, 28:36] = 1
    moved = encoder._augmented(seen)
    centre = (moved.mean(dim=1) * torch.arange(64.0)).sum(dim=(1, 2)) / moved.mean(dim=1).sum(dim=(1, 2))
    assert 0.5 < (centre - 31.5).abs().mean() < 4


# hostile files


def png_of(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Small files that would be large."""
    zeros = zlib.compress(bytes(60_000_000), 9)
    tiff = bytearray(file(Pillow.new("L", (8, 8)), "TIFF"))
    at = int.from_bytes(tiff[4:8], "little") + 2
    for entry in range(at, at + 24, 12):  # width and height stand first
        tiff[entry + 2 : entry + 12] = b"\x04\x00\x01\x00\x00\x00\xff\xff\xff\x7f"
    text = file(quarters())
    ztxt = b"zTXt" + b"a\x00\x00" + zeros
    body = (len(ztxt) - 4).to_bytes(4, "big") + ztxt + zlib.crc32(ztxt).to_bytes(4, "big")
    gif = bytearray(file(quarters(), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    return {
        "huge.png": png_of(60_000, 60_000, zeros[:100_000]),
        "more.png": png_of(200, 200, zeros),
        "huge.tiff": bytes(tiff),
        "text.png": text[:33] + body + text[33:],
        "huge.gif": bytes(gif),
        "large.bmp": b"BM" + bytes(12) + (40).to_bytes(4, "little") + b"\xff\xff\xff\x7f" * 2 + b"\x01\x00\x18\x00" * 7,
    }


def limited(folder: str) -> None:
    """Read what lies in a folder with 400 MB to spare; runs in a process of its own."""
    import resource

    room().transform((column([quarters()]),))  # what is loaded late is loaded before the limit
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000,) * 2)
    names = sorted(os.listdir(folder))
    batch = read([*names, "https://example.org/a.png"], folder)
    print(json.dumps({names[f.row] if f.row < len(names) else "url": f.reason for f in batch.faults}))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_hostile_files_cost_a_fault_each(tmp_path):
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "out.png").symlink_to("/etc/hostname")
    (tmp_path / "zero.png").write_bytes(b"")
    code = f"import test_image; test_image.limited({str(tmp_path)!r})"
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    faults = json.loads(done.stdout)
    readable = {"more.png", "text.png"}  # what is too much of them is left unread
    assert set(faults) | readable >= {*bombs(), "pipe.png", "out.png", "zero.png", "url"}
    assert "60,000 x 60,000 pixels" in faults["huge.png"]
    assert "2,147,483,647" in faults["huge.tiff"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), st.integers(0, 1 << 32))
def test_damaged_files_never_raise(kind, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(file(quarters(), kind))
    for place in rng.integers(0, len(data), rng.integers(1, 12)).tolist():
        data[place] = rng.integers(256)
    batch = read([bytes(data[: rng.integers(len(data) // 2, len(data) + 1)])], max_pixels=1_000_000)
    assert batch.present[0] or len(batch.faults) == 1


def test_pillow_is_quiet_and_filters_stay_as_they_were():
    corrupt = file(quarters(), "TIFF")
    cells = [corrupt[: len(corrupt) - k] for k in range(1, 40)] * 3
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda cell: read([cell]), cells))
    assert warnings.filters == before


def test_accepts_what_looks_like_pictures():
    data = file(quarters(), "WEBP")
    alike = [
        ["a/b.png", "C.JPG", "c.tiff"],
        [data, data],
        [base64.b64encode(data).decode()],
        [{"bytes": data, "path": "x"}],
        [quarters()],
        [np.zeros((9, 9, 3))],
    ]
    assert all(Image.accepts(column(cells)) > 0.9 for cells in alike)
    others = [["a.wav"], ["words"], [b"RIFF\x00\x00\x00\x00WAVEfmt "], [np.zeros((9, 2))], [np.zeros(9)], [None], [7]]
    assert not any(Image.accepts(column(cells)) for cells in others)


def test_nothing_is_learned():
    cells = column([quarters()])
    made = room()
    state = made.state()
    made.fit([(cells,)], FitContext(np.zeros(1), "binary", 1, np.ones(1)))
    assert made.state() == state
