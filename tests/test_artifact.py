"""Models on disk: what is written comes back, and what was tampered with is one clear error."""

import hashlib
import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plait import artifact
from plait.contracts import State
from plait.errors import ArtifactError

KINDS = ("model.plait", "model.zip")

STATE = State(
    version=3,
    values={"names": ["收入", "a/b"], "rate": 0.1, "limit": math.inf, "$odd": {"$float": "kept"}, "none": None},
    arrays={
        "weights": np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2],
        "classes": np.array(["bad", "好"]),
        "flag": np.array([True, False]),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.float32),
    },
    texts={"booster": "tree\nversion=v4\r\n" * 20},
    parts={"inner/with ~ and 空": State(1, parts={"": State(2, arrays={"codes": np.arange(300, dtype=">i4")})})},
)
MANIFEST = {"schema": {"columns": {"金额": "table"}}, "configuration": {"fusion": "early", "cut": math.nan}}


def same(a: object, b: object) -> bool:
    """Equality in which NaN equals NaN and a tuple equals a list."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def assert_same(a: State, b: State) -> None:
    assert a.version == b.version
    assert same(dict(a.values), dict(b.values))
    assert dict(a.texts) == dict(b.texts)
    assert a.arrays.keys() == b.arrays.keys()
    for name, array in a.arrays.items():
        assert b.arrays[name].dtype.kind == array.dtype.kind
        assert array.dtype.kind == "U" or b.arrays[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(b.arrays[name], array)
        assert b.arrays[name].shape == array.shape
    assert list(a.parts) == list(b.parts)
    for name, part in a.parts.items():
        assert_same(part, b.parts[name])


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    artifact.write(path, STATE, MANIFEST)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    artifact.write(tmp_path / "model.plait", STATE, MANIFEST)
    return tmp_path / "model.plait"


def refused(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifact.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def reseal(folder: Path, **changes: bytes) -> None:
    """Write other bytes and hashes that fit them, as a forger would."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for stem, data in changes.items():
        name = next(n for n in [*manifest["files"], f"{stem}.json"] if n.startswith(stem))
        (folder / name).write_bytes(data)
        manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    seal_manifest(folder, manifest)


def seal_manifest(folder: Path, manifest: dict) -> None:
    manifest.pop("seal", None)
    plain = json.dumps(manifest, ensure_ascii=False).encode()
    sealed = {**manifest, "seal": hashlib.sha256(plain).hexdigest()}
    (folder / "manifest.json").write_bytes(json.dumps(sealed, ensure_ascii=False, indent=1).encode())


# Round trips


def test_what_is_written_comes_back(model: Path) -> None:
    manifest, state = artifact.read(model)
    assert_same(STATE, state)
    assert same(manifest["schema"], MANIFEST["schema"])
    assert math.isnan(manifest["configuration"]["cut"])
    assert manifest["format_version"] == artifact.FORMAT_VERSION
    assert manifest["versions"]["plait"]
    assert os.listdir(model.parent) == [model.name]


names = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.just("$float"), inner, max_size=3),
    max_leaves=6,
)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
number_types = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.boolean_dtypes()
)
arrays = hnp.arrays(number_types, shapes) | hnp.arrays(
    "U4", shapes, elements=st.text(max_size=4).filter(lambda t: "\0" not in t)
)
states = st.recursive(
    st.builds(State, st.integers(0, 9), st.dictionaries(names, json_values, max_size=3)),
    lambda inner: st.builds(
        State,
        st.integers(0, 9),
        st.dictionaries(names, json_values, max_size=2),
        st.dictionaries(names, arrays, max_size=3),
        st.dictionaries(names, st.text(max_size=30), max_size=2),
        st.dictionaries(names, inner, max_size=3),
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=40)
@given(state=states, given_manifest=st.dictionaries(st.sampled_from(["schema", "$x", "名"]), json_values))
def test_any_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, state: State, given_manifest: dict) -> None:
    for kind in KINDS:
        path = tmp_path_factory.mktemp("trip") / kind
        artifact.write(path, state, given_manifest)
        manifest, back = artifact.read(path)
        assert_same(state, back)
        assert same({key: manifest[key] for key in given_manifest}, dict(given_manifest))


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        artifact.write(tmp_path / name, STATE, MANIFEST)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_zip_made_by_other_tools_is_read(folder: Path) -> None:
    path = folder.parent / "again.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("texts")
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder))
    assert_same(STATE, artifact.read(path)[1])


def test_reading_loads_no_pickle_and_no_torch(folder: Path) -> None:
    code = f"import sys; from plait import artifact; artifact.read({str(folder)!r}); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


# Writing


def test_an_older_model_is_replaced(model: Path) -> None:
    artifact.write(model, State(7), {})
    assert artifact.read(model)[1].version == 7
    assert os.listdir(model.parent) == [model.name]


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}], object),
        np.array(["2020-01-01"], "datetime64[ns]"),
        np.array([b"raw"]),
        np.array([1j]),
        np.zeros(1, [("a", "f8")]),
    ],
    ids=lambda a: str(a.dtype),
)
def test_arrays_that_need_pickle_are_not_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="pickling"):
        artifact.write(tmp_path / "m.plait", State(1, arrays={"a": array}), {})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("value", [object, {1: 2}, b"raw", np.int64(3), {1, 2}], ids=repr)
def test_values_that_are_not_json_are_not_written(tmp_path: Path, value: object) -> None:
    with pytest.raises(TypeError, match=r"state\.deep"):
        artifact.write(tmp_path / "m.plait", State(1, values={"deep": {"er": value}}), {})
    with pytest.raises(TypeError, match="own keys"):
        artifact.write(tmp_path / "m.plait", State(1), {"format": "other"})
    with pytest.raises(TypeError, match="str"):
        artifact.write(tmp_path / "m.plait", State(1, parts={0: State(1)}), {})  # type: ignore[dict-item]


@pytest.mark.parametrize("content", ["manifest.json", "thesis.doc"])
@pytest.mark.parametrize("kind", KINDS)
def test_foreign_things_are_not_overwritten(tmp_path: Path, kind: str, content: str) -> None:
    path = tmp_path / kind
    if kind.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(content, '{"name": "a web app"}')
    else:
        path.mkdir()
        (path / content).write_text('{"name": "a web app"}')
    with pytest.raises(ArtifactError, match="no plait model"):
        artifact.write(path, STATE, {})
    assert path.exists()


def test_a_write_that_fails_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="No space left"):
        artifact.write(folder, State(9), {})
    monkeypatch.undo()
    assert_same(STATE, artifact.read(folder)[1])
    assert os.listdir(folder.parent) == [folder.name]


def test_a_rename_that_fails_puts_the_old_model_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def once(old: Path, new: Path) -> None:
        if Path(new) == folder and not str(old).endswith(".old"):
            raise OSError(5, "Input/output error")
        rename(old, new)

    monkeypatch.setattr(os, "rename", once)
    with pytest.raises(ArtifactError, match="Input/output error"):
        artifact.write(folder, State(9), {})
    monkeypatch.undo()
    assert_same(STATE, artifact.read(folder)[1])


# Damage


def test_any_flipped_byte_in_a_folder_is_refused(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for file in [p for p in folder.rglob("*") if p.is_file()]:
        whole = file.read_bytes()
        for at in {0, len(whole) - 1, *rng.integers(0, len(whole), 25).tolist()}:
            for bit in (0, 5, 7):
                broken = bytearray(whole)
                broken[at] ^= 1 << bit
                file.write_bytes(broken)
                refused(folder)
        file.write_bytes(whole)
    assert_same(STATE, artifact.read(folder)[1])


def test_any_flipped_byte_in_a_zip_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    artifact.write(path, STATE, MANIFEST)
    whole = path.read_bytes()
    refusals = 0
    for at in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[at] ^= 1 << (at % 8)
        path.write_bytes(broken)
        try:
            assert_same(STATE, artifact.read(path)[1])  # a date or an attribute of the zip itself
        except ArtifactError:
            refusals += 1
    assert refusals > len(whole) / 14


def test_truncated_files_are_refused(model: Path) -> None:
    files = [model] if model.is_file() else [p for p in model.rglob("*") if p.is_file()]
    for file in files:
        whole = file.read_bytes()
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            refused(model)
        file.write_bytes(whole + b"\n")
        if model.is_dir():
            refused(model)
        file.write_bytes(whole)


def test_missing_files_are_refused(folder: Path) -> None:
    for file in [p for p in folder.rglob("*") if p.is_file()]:
        whole = file.read_bytes()
        file.unlink()
        assert file.name in refused(folder)
        file.write_bytes(whole)
    refused(folder.parent / "nowhere.plait")
    refused(folder.parent)


# Hostility: hashes fit, content does not


def test_symlinks_pipes_and_strangers_are_refused(folder: Path, tmp_path: Path) -> None:
    for make in (
        lambda path: path.symlink_to("/etc/hostname"),
        lambda path: path.write_text("import os"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ):
        for name in ("evil.py", "texts/9.txt/", "texts/x.txt"):
            stranger = folder / name
            make(stranger)
            refused(folder)
            stranger.rmdir() if stranger.is_dir() else stranger.unlink()
    state = folder / "state.json"
    state.rename(tmp_path / "elsewhere.json")
    state.symlink_to(tmp_path / "elsewhere.json")
    assert "plain file" in refused(folder)
    state.unlink()
    os.mkfifo(state)
    assert "plain file" in refused(folder)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "texts/../../evil", "texts/x.txt", "evil.pkl", "a\\b"])
def test_names_outside_the_model_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.zip"
    artifact.write(path, STATE, MANIFEST)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert "does not belong" in refused(path)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    seal_manifest(folder, manifest)
    assert "no plait model has" in refused(folder)


def test_doubled_linked_and_encrypted_members_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    artifact.write(path, STATE, MANIFEST)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("state.json", "{}")
    assert "twice" in refused(path)
    path.unlink()
    link = zipfile.ZipInfo("texts/7.txt")
    link.external_attr = 0o120777 << 16
    artifact.write(path, STATE, MANIFEST)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/hostname")
    assert "plain file" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("manifest.json", "{}")
    assert "unknown way" in refused(path)


def test_zip_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * (artifact.FREE_BYTES + 1))
    assert "100 times" in refused(path)


def test_newer_and_foreign_manifests_are_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for change, said in [
        ({"format_version": artifact.FORMAT_VERSION + 1}, "newer"),
        ({"format_version": "1"}, "no format version"),
        ({"format_version": True}, "no format version"),
        ({"format": "onnx"}, "not that of a plait model"),
        ({"files": []}, "does not list"),
        ({"files": {**manifest["files"], "state.json": 3}}, "no plait model has"),
        ({"files": {**manifest["files"], "state.json": {"bytes": 1 << 60, "sha256": ""}}}, "GiB"),
        ({"schema": {"$evil": 1}}, "changed"),
    ]:
        seal_manifest(folder, {**manifest, **change})
        assert said in refused(folder)
    for data in (b"[]", b"[" * 100_000, b'{"a": 1e999}', b"NaN", b"\xff", b""):
        (folder / "manifest.json").write_bytes(data)
        refused(folder)


EMPTY = {"version": 1, "values": {}, "arrays": {}, "texts": {}, "parts": {}}


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        None,
        "text",
        {**EMPTY, "version": "1"},
        {**EMPTY, "code": "import os"},
        {**EMPTY, "arrays": {"a": "99"}},
        {**EMPTY, "arrays": {"a": 0}},
        {**EMPTY, "arrays": {"a": {"strings": ["x"], "shape": [2]}}},
        {**EMPTY, "arrays": {"a": {"strings": [], "shape": [0, 1 << 40]}}},
        {**EMPTY, "arrays": {"a": {"strings": [1], "shape": [1]}}},
        {**EMPTY, "arrays": {"a": {"strings": ["x"], "shape": "1"}}},
        {**EMPTY, "arrays": {"a": {"strings": ["x" * 100_000] + [""] * 10_000, "shape": [10_001]}}},
        {**EMPTY, "texts": {"a": "../../etc/hostname"}},
        {**EMPTY, "texts": {"a": 99}},
        {**EMPTY, "values": []},
        {**EMPTY, "values": {"a": {"$float": "1"}}},
        {**EMPTY, "values": {"a": {"$pickle": "x"}}},
        {**EMPTY, "parts": {"a": None}},
        {**EMPTY, "parts": [EMPTY]},
        EMPTY,
    ],
    ids=lambda tree: repr(tree)[:60],
)
def test_forged_trees_are_refused(folder: Path, tree: object) -> None:
    reseal(folder, state=json.dumps(tree).encode())
    refused(folder)


def test_forged_json_and_arrays_are_refused(folder: Path) -> None:
    whole = (folder / "arrays.safetensors").read_bytes()
    for data in (b"{", b"[" * 100_000, b"\xff\xfe", b'{"version": NaN}', b"9" * 5000):
        reseal(folder, state=data)
        refused(folder)
    huge = json.dumps({"0": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]}}).encode()
    odd = json.dumps({"0": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}).encode()
    for data in (
        b"",
        b"\xff" * 64,
        len(huge).to_bytes(8, "little") + huge,
        len(odd).to_bytes(8, "little") + odd + b"0",
        whole[:-8],
    ):
        reseal(folder, arrays=data)
        refused(folder)
