"""The room of 3-D models: what it reads, what it refuses, what it says of a shape, and what hostile files cost."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait import registry
from plait.contracts import Batch, Column, FitContext, Source
from plait.data.samples import meshes
from plait.errors import ArtifactError, ConfigError, MissingExtraError
from plait.media.content import UnreadableError
from plait.media.meshes import file_kind, given_mesh, read_mesh, sampled
from plait.media.surfaces import MEASURES, measured
from plait.modalities.mesh import Mesh

CUBE = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
SQUARES = np.array([[0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6], [0, 2, 3, 1], [4, 5, 7, 6]])


def cell(vertices=CUBE, faces=SQUARES):
    return {"vertices": np.asarray(vertices), "faces": np.asarray(faces)}


def column(cells, folder=None):
    values = np.empty(len(cells), object)
    for i, each in enumerate(cells):
        values[i] = each
    return Column("model", values, np.array([each is not None for each in cells], bool), folder=folder)


def fitted(cells, **options) -> Mesh:
    context = FitContext(np.zeros(len(cells)), "binary", 1, np.ones(len(cells)))
    return Mesh(Source("model", "mesh", ("model",), {"model": options})).fit([(column(cells),)], context)


def read(cells, folder=None, **options) -> Batch:
    return fitted([cell()], **options).transform((column(cells, folder),))


def told(shape) -> dict[str, float]:
    features = fitted([shape]).features(read([shape]))
    return {name.removeprefix("model."): v for name, v in zip(features.names, features.values[0].tolist(), strict=True)}


def reason(shape, **options) -> str:
    batch = read([shape], **options)
    assert not batch.present.any()
    (fault,) = batch.faults
    return fault.reason


def stl(vertices=CUBE, squares=SQUARES) -> bytes:
    faces = np.concatenate([squares[:, :3], squares[:, [0, 2, 3]]])
    record = np.zeros(len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("left", "<u2")])
    record["corners"] = vertices[faces]
    return b"\0" * 80 + struct.pack("<I", len(faces)) + record.tobytes()


def obj(vertices=CUBE, faces=SQUARES, head="mtllib ../../etc/secret.mtl\nusemtl wall\n") -> bytes:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + ["f " + " ".join(str(i + 1) for i in f) for f in faces]
    return (head + "\n".join(lines) + "\n").encode()


def exported(kind: str) -> bytes:
    trimesh = pytest.importorskip("trimesh")
    faces = np.concatenate([SQUARES[:, :3], SQUARES[:, [0, 2, 3]]])
    made = trimesh.Trimesh(CUBE * [1, 2, 3], faces, process=False).export(file_type=kind)
    return made.encode() if isinstance(made, str) else made


def glb(head, body=b"") -> bytes:
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if body:
        chunks += struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


# cells


@pytest.mark.parametrize("kind", ["stl", "stl_ascii", "ply", "obj", "glb"])
def test_every_format_tells_the_same(kind):
    values = told(exported(kind))
    assert values["volume"] == pytest.approx(6)
    assert values["area"] == pytest.approx(22)
    assert sorted([values["extent_x"], values["extent_y"], values["extent_z"]]) == pytest.approx([1, 2, 3])
    assert (values["vertices"], values["faces"], values["watertight"], values["euler"]) == (8, 12, 1, 2)
    assert file_kind(exported(kind)) == kind.removesuffix("_ascii")


def test_every_form_of_a_cell(tmp_path):
    data = stl()
    (tmp_path / "house.stl").write_bytes(data)
    (tmp_path / "house.dat").write_bytes(data)
    nested = np.empty(8, object)
    nested[:] = list(CUBE)
    forms = [
        *("house.stl", "house.dat", tmp_path / "house.stl", data, base64.b64encode(data).decode()),
        *({"path": "house.stl"}, {"bytes": data}, cell(), {"vertices": nested, "faces": SQUARES.tolist()}),
    ]
    batch = read(forms, str(tmp_path))
    assert batch.present.all(), batch.faults
    assert len(np.unique(np.asarray(batch.arrays["measures"]).round(5), axis=0)) == 1


def test_comments_may_be_in_any_encoding():
    notes = ("# 房屋\n".encode("gbk"), "# façade\n".encode("latin-1"))
    assert read([obj(head=note.decode("latin-1")).decode().encode("latin-1") for note in notes]).present.all()


def test_up_follows_the_format():
    flat = cell(CUBE * [4, 4, 1])
    assert told(flat)["extent_z"] == 1
    assert read([flat], up="y").arrays["measures"][0][MEASURES.index("extent_z")] == 4
    assert read([exported("glb")]).arrays["measures"][0][MEASURES.index("extent_z")] == pytest.approx(2)
    assert read([exported("glb")], up="z").arrays["measures"][0][MEASURES.index("extent_z")] == pytest.approx(3)


def test_a_cloud_has_no_surface():
    values = told({"vertices": np.random.default_rng(0).normal(size=(300, 3))})
    assert values["vertices"] == 300
    assert values["faces"] == 0
    assert all(np.isnan(values[name]) for name in ("volume", "area", "watertight", "bend", "facing_0"))
    assert np.isfinite(values["distance_3"])


# shapes


def test_a_box_is_what_it_is():
    values = told(cell(CUBE * [2, 3, 4]))
    assert values["volume"] == pytest.approx(24)
    assert values["area"] == pytest.approx(52)
    assert values["box_fill"] == pytest.approx(1)
    assert values["sphericity"] == pytest.approx(np.pi ** (1 / 3) * (6 * 24) ** (2 / 3) / 52)
    assert (values["components"], values["open_edges"], values["inside_out"]) == (1, 0, 0)
    assert values["concave_edges"] == 0
    assert values["convex_edges"] > 0.5
    assert values["centroid_height"] == pytest.approx(0.5)


def test_a_lid_off_and_inside_out():
    open_ = told(cell(faces=SQUARES[:-1]))
    assert (open_["watertight"], open_["euler"]) == (0, 1)
    assert open_["open_edges"] == pytest.approx(4 / 17)
    assert told(cell(faces=SQUARES[:, ::-1]))["inside_out"] == 1
    flipped = SQUARES.copy()
    flipped[0] = flipped[0, ::-1]
    assert told(cell(faces=flipped))["flipped_edges"] > 0


def test_two_boxes_are_two_pieces():
    faces = np.concatenate([SQUARES, SQUARES + 8])
    values = told(cell(np.concatenate([CUBE, CUBE + 5]), faces))
    assert (values["components"], values["largest_component"], values["euler"]) == (2, 0.5, 4)


def test_a_ball_is_round():
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(3, 2.0)
    values = told(cell(ball.vertices, ball.faces))
    assert values["volume"] == pytest.approx(4 / 3 * np.pi * 8, rel=0.02)
    assert values["sphericity"] > 0.98
    assert values["moment_long"] == pytest.approx(values["moment_short"], rel=0.01)
    # The second moment of a thin shell about its middle is a third of the radius squared in each direction.
    assert values["moment_long"] == pytest.approx(0.5 / 3**0.5, rel=0.02)


@settings(deadline=None, max_examples=10)
@given(st.floats(0.01, 100), st.floats(0, 6.28), st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_place_and_turn_change_no_proportion(scale, angle, shift):
    model = meshes(1, 3)["model"][0]
    vertices = model["vertices"].astype(float)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    before, after = told(model), told(cell(vertices @ turn * scale + shift, model["faces"]))
    for name in ("sphericity", "watertight", "euler", "components", "centroid_height"):
        assert after[name] == pytest.approx(before[name], rel=1e-3, abs=1e-3)
    assert after["area"] == pytest.approx(before["area"] * scale**2, rel=1e-3)


def test_points_lie_on_the_surface_evenly():
    mesh = given_mesh(cell(CUBE * [1, 1, 3]))
    points = sampled(mesh, 4000)
    on = np.isclose(np.abs(points[:, :3]), np.array([1, 1, 3]) / 6, atol=1e-6)
    assert on.any(axis=1).all()
    assert on[:, 2].mean() == pytest.approx(2 / 14, abs=0.005)
    np.testing.assert_allclose((points[:, 3:] ** 2).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(points, sampled(given_mesh(cell(CUBE * [1, 1, 3])), 4000))


# refusals


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (b"no mesh at all", "not an OBJ"),
        (b"", "0 bytes"),
        (cell(CUBE * np.nan), "not finite"),
        (cell(CUBE * 1e200), "beyond 1e30"),
        (cell(faces=SQUARES + 1), "beyond the 8"),
        (cell(faces=SQUARES - 1), "beyond the 8"),
        (cell(faces=SQUARES + 0.5), "no whole number"),
        (cell(CUBE[:, :2]), "2 coordinates"),
        (cell(faces=[[0, 1]]), "2 corners"),
        (cell(np.zeros((8, 3))), "one place"),
        (cell(faces=[[0, 1, 1]]), "without area"),
        (cell([]), "no vertices"),
        ({"vertices": "abc"}, "no table"),
        ({"vertices": [[1, 2, 3], [4]]}, "no table"),
        (obj(CUBE * np.nan), ""),
        (obj(faces=SQUARES + 9), ""),
        (stl()[:-20], ""),
        (exported("glb")[:-30], ""),
        (exported("ply")[:-30], ""),
        (b"ply\nformat ascii 1.0\nelement vertex 5\n", "does not end"),
        (b"ply\nformat ascii 1.0\nelement vertex 9999999999\nproperty float x\nend_header\n", "elements"),
        (glb({"accessors": [{"count": 10**12, "componentType": 5126, "type": "VEC3"}]}), "accessors"),
        (glb({"accessors": [{"count": -5}]}), "accessors"),
        (glb({"buffers": [{"uri": "http://example.org/x.bin", "byteLength": 4}]}), "outside the file"),
        (glb({"buffers": [{"uri": "/etc/passwd", "byteLength": 4}]}), "outside the file"),
        (glb({"bufferViews": [{"byteLength": 10**6}] * 999}), "views of"),
        (glb({"meshes": [{"primitives": [{"extensions": {"KHR_draco_mesh_compression": {}}}]}]}), "packed by"),
        (glb([]), "header"),
        (b"glTF" + struct.pack("<IIII", 2, 4000, 3980, 0x4E4F534A) + b"[" * 3980, "header"),
    ],
)
def test_what_is_no_mesh_is_a_fault(shape, said):
    assert said in reason(shape)


def test_limits_can_be_set():
    assert "8 vertices (allowed: 7)" in reason(cell(), max_vertices=7)
    assert "24" in reason(stl(), max_vertices=20) or "36" in reason(stl(), max_vertices=20)
    assert "allowed: 10" in reason(stl(), max_bytes=10)
    assert read([stl()], max_vertices=36).present.all()
    assert read([cell()], points=32).arrays["points"].shape == (1, 32, 6)


def test_paths_stay_in_the_folder(tmp_path):
    inside = tmp_path / "data"
    inside.mkdir()
    (tmp_path / "house.stl").write_bytes(stl())
    (inside / "link.stl").symlink_to(tmp_path / "house.stl")
    batch = read(["../house.stl", "link.stl", "https://example.org/house.stl"], str(inside))
    assert not batch.present.any()
    assert read(["../house.stl"], str(inside), outside=True).present.all()
    assert not read(["house.stl"]).present.any()


@pytest.mark.parametrize(
    "options",
    [
        {"point": 3},
        {"points": 3},
        {"points": "many"},
        {"max_vertices": True},
        {"up": "x"},
        {"rotate": "yes"},
        {"encoder": "pointnett"},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(ConfigError, match=r"model|encoder"):
        fitted([cell()], **options)


def test_without_the_library_arrays_still_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    assert read([cell()]).present.all()
    with pytest.raises(MissingExtraError, match=r"plait\[mesh\]"):
        read_mesh(stl())


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_broken_bytes_never_raise_anything_else(data):
    whole = data.draw(st.sampled_from([exported("glb"), exported("ply"), exported("stl_ascii"), obj(), stl()]))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        mesh = read_mesh(bytes(broken[: data.draw(st.integers(1, len(whole)))]))
    except UnreadableError:
        return
    assert np.isfinite(sampled(mesh, 32)).all()
    assert np.isfinite(measured(mesh)[MEASURES.index("moment_long")])


HOSTILE = """
import io, json, resource, struct, sys
import numpy as np, trimesh
from plait.media.content import UnreadableError
from plait.media.meshes import read_mesh, sampled
from plait.media.surfaces import measured
for line in open("/proc/self/status"):
    if line.startswith("VmSize"):
        size = int(line.split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + (700 << 20), size + (700 << 20)))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
sys.path.insert(0, sys.argv[1])
from test_mesh import CUBE, SQUARES, exported, glb, obj, stl
box = exported("glb")
length = struct.unpack_from("<I", box, 12)[0]
head, body = json.loads(box[20:20 + length]), box[28 + length:]
def instanced(nodes):
    return glb({**head, "nodes": [{"mesh": 0}] * nodes, "scenes": [{"nodes": list(range(nodes))}], "scene": 0}, body)
cycle = {**head, "nodes": [{"mesh": 0, "children": [1]}, {"children": [0]}], "scenes": [{"nodes": [0]}], "scene": 0}
files = [
    instanced(3000), glb(cycle, body),
    glb({**head, "accessors": [{**head["accessors"][0], "count": 10**9}]}, body),
    glb({**head, "bufferViews": [{"buffer": 0, "byteLength": len(body)}] * 100_000}, body),
    b"ply\\nformat binary_little_endian 1.0\\nelement vertex 1000000000\\nproperty double x\\nend_header\\n"
    + bytes(64),
    b"ply\\nformat binary_little_endian 1.0\\nelement face 4\\nproperty list uint int vertex_indices\\nend_header\\n"
    + bytes([255] * 64),
    b"v 0 0 0\\nv 1 0 0\\nv 0 1 0\\n" + b"f " + b"1 2 3 " * 200_000,
    b"v " + b"1" * 5_000_000, b"solid x\\n" + b"facet vertex 1 2 3\\n" * 100_000,
    stl()[:84] + bytes(50 * 12 * 1000), b"glTF" + bytes(1_000_000), obj(CUBE.repeat(30_000, axis=0)),
]
for data in files:
    try:
        mesh = read_mesh(data, max_vertices=20_000)
        sampled(mesh, 256), measured(mesh)
    except UnreadableError as error:
        print("fault:", str(error)[:80], file=sys.stderr)
print("survived", len(files))
"""


@pytest.mark.slow
def test_hostile_files_cost_little_memory():
    pytest.importorskip("trimesh")
    folder = __file__.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", HOSTILE, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "survived 12"


# both doors


@pytest.mark.parametrize("kind", ["points", "pointnet"])
def test_encoders_by_name(kind):
    import torch

    room = fitted([cell(), cell(CUBE * [1, 2, 3])], encoder=kind, rotate=False)
    inputs = room.inputs(room.transform((column([cell(), None]),)))
    torch.manual_seed(0)
    encoder = room.encoder(16)
    assert type(encoder) is registry.get("encoders", kind)
    encoder.eval()
    tensors = encoder.collate(inputs)
    tokens = encoder(tensors)
    assert tokens.mask_BT.any(dim=1).tolist() == [True, False]
    assert len(encoder(encoder.collate(inputs.take(np.arange(0)))).values_BTD) == 0
    shuffled = {**tensors, "points": tensors["points"].flip(1)}
    torch.testing.assert_close(encoder(shuffled).values_BTD, tokens.values_BTD, atol=1e-5, rtol=1e-4)
    encoder.train()
    torch.manual_seed(1)
    first = encoder(tensors).values_BTD
    assert not torch.equal(first, encoder(tensors).values_BTD)
    torch.manual_seed(1)
    assert torch.equal(first, encoder(tensors).values_BTD)


def test_turning_keeps_height_and_length():
    import torch

    encoder = fitted([cell()]).encoder(16)
    encoder.jitter = encoder.dropped = encoder.stretch = 0.0
    torch.manual_seed(0)
    points = torch.randn(3, 40, 6)
    points[..., 3:] = torch.nn.functional.normalize(points[..., 3:], dim=-1)
    turned = encoder.augmented(points)
    for part in (slice(0, 3), slice(3, 6)):
        before = points[..., part].norm(dim=-1).sort(dim=1).values
        torch.testing.assert_close(turned[..., part].norm(dim=-1).sort(dim=1).values, before)
    torch.testing.assert_close(turned[..., 2].sort(dim=1).values, points[..., 2].sort(dim=1).values)
    assert not torch.allclose(turned[..., 0].sort(dim=1).values, points[..., 0].sort(dim=1).values)


@pytest.mark.parametrize("fusion", ["attention", "early"])
def test_a_model_comes_back_from_disk(tmp_path, fusion):
    frame = meshes(24, 1, form="files")
    X = frame[["model"]].assign(size=np.arange(24.0))
    X.loc[[3, 9], "model"] = None
    how = {"options": {"attention": {"epochs": 1, "width": 16}}} if fusion == "attention" else {"learner": "linear"}
    model = plait.Classifier(fusion=fusion, **how, n_jobs=1, random_state=0).fit(X, frame["kind"])
    model.save(tmp_path / "model.plait")
    proba = model.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_array_equal(plait.load(tmp_path / "model.plait").predict_proba(X), proba)


def test_newer_states_are_refused():
    room = fitted([cell()])
    state = room.state()
    with pytest.raises(ArtifactError, match="update plait"):
        Mesh.from_state(room.source, type(state)(99, state.values, state.arrays))


def test_accepts_models_only(tmp_path):
    assert Mesh.accepts(column([cell(), stl(), obj(), "a.glb", {"path": "b.ply"}])) > 0.9
    assert Mesh.accepts(column([{"bytes": exported("glb")}, base64.b64encode(exported("glb")).decode()])) > 0.9
    assert Mesh.accepts(column(["a.png", "b.txt", {"path": "c.wav"}])) == 0
    assert Mesh.accepts(column([io.BytesIO(stl())])) == 0


# made models


def test_made_models_are_as_documented():
    frame = meshes(80, 4)
    assert frame["kind"].value_counts().to_dict() == {"house": 20, "vehicle": 20, "vessel": 20, "machine": 20}
    assert 0.3 < frame["damaged"].mean() < 0.7
    assert (frame["value"] > 0).all()
    batch = read(list(frame["model"]))
    assert batch.present.all()
    files = meshes(80, 4, form="files")
    assert [file_kind(data) for data in files["model"]] == ["stl", "obj"] * 40
    again = read(list(files["model"]))
    area = MEASURES.index("area")
    np.testing.assert_allclose(again.arrays["measures"][:, area], batch.arrays["measures"][:, area], rtol=1e-3)
    np.testing.assert_array_equal(files["value"], frame["value"])
