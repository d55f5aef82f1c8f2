"""A model on disk: JSON, safetensors and plain text; nothing in it can be executed.

A model is one directory, or one zip of it where the path ends in ``.zip``::

    manifest.json        who wrote it and how, and the size and SHA-256 of every other file
    state.json           the tree of `State`: versions, JSON values, text arrays, and where arrays and texts lie
    arrays.safetensors   numeric arrays, numbered
    texts/0.txt          long texts (LightGBM's own model format)

Reading trusts nothing: every name, size, hash, type and nesting is checked before it is used. The hashes tell damage
and carelessness, not a forger, who can compute them too: sign the file where that matters.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from plait.contracts import Array, Json, State
from plait.errors import ArtifactError

__all__ = ["FORMAT_VERSION", "read", "versions", "write"]

FORMAT = "plait"
FORMAT_VERSION = 1
LIBRARIES = ("lightgbm", "numpy", "pandas", "plait", "safetensors", "scikit-learn", "scipy", "sentencepiece", "torch")
OWN_KEYS = {"files", "format", "format_version", "versions"}

MAX_BYTES = 4 << 30  # of all files together
MAX_JSON_BYTES = 256 << 20  # of one JSON file: parsed, it takes some ten times as much memory
MAX_FILES = 4096
MAX_RATIO = 100  # unpacked to packed, beyond FREE_BYTES: more is a zip bomb
FREE_BYTES = 64 << 20
NAME = re.compile(r"manifest\.json|state\.json|arrays\.safetensors|texts/(0|[1-9][0-9]{0,5})\.txt")


def versions() -> dict[str, str]:
    """Versions of Python and of every library that can change a result."""
    return {"python": platform.python_version(), **_installed()}


@cache
def _installed() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def write(path: str | os.PathLike[str], state: State, manifest: Mapping[str, Json]) -> None:
    """Write a model, whole or not at all.

    It is written beside `path`, flushed to the disk and renamed; an older model at `path` is replaced only then.

    Parameters
    ----------
    path
        A directory to be, or a file ending in ``.zip``.
    state
        The fitted parts. Arrays are numbers, booleans or text (``dtype.kind`` in ``"biufU"``), tuples become lists.
    manifest
        What else is known (schema, configuration, record): JSON values with names other than ``format``,
        ``format_version``, ``versions`` and ``files``. NaN and infinities are kept.

    Raises
    ------
    ArtifactError
        If something that is no model stands at `path`, or the disk refuses.
    TypeError
        If the state holds what cannot be written without pickling (object or datetime arrays, other classes).
    """
    target = Path(path)
    if clash := OWN_KEYS & set(manifest):
        raise TypeError(f"the manifest's own keys cannot be given: {sorted(clash)}")
    files = _pack(state)
    listed = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()}
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "versions": versions(), "files": listed}
    files["manifest.json"] = _sealed({**own, **_encode(dict(manifest), "manifest")})
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _refuse_foreign(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".zip":
            _write_zip(beside, files)
        else:
            _write_folder(beside, files)
        _move(beside, target)
    except OSError as error:
        raise ArtifactError(f"{target}: the model cannot be written: {error.strerror or error}") from None
    finally:
        _remove(beside)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Json], State]:
    """Read a model's manifest and state; nothing in the file is executed.

    Raises
    ------
    ArtifactError
        If there is no model at `path`, or it is damaged, incomplete, hostile or of a newer format.
    """
    target = Path(path)
    try:
        with _ZipStore(target) if target.is_file() else _FolderStore(target) as store:
            manifest, files = _verified(store)
        return manifest, _unpack(files)
    except ArtifactError as error:
        raise ArtifactError(f"{target}: {error}") from None
    except OSError as error:
        raise ArtifactError(f"{target}: the model cannot be read: {error.strerror or error}") from None


# State to files and back.


def _pack(state: State) -> dict[str, bytes]:
    from safetensors.numpy import save

    arrays: dict[str, Array] = {}
    texts: list[str] = []

    def place(array: Array, where: str) -> Json:
        if array.dtype.kind == "U":
            return {"shape": list(array.shape), "strings": array.ravel().tolist()}
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{where}: an array of dtype {array.dtype} cannot be written without pickling")
        key = str(len(arrays))
        arrays[key] = np.asarray(array, array.dtype.newbyteorder("="), order="C")
        return key

    def node(part: State, where: str) -> dict[str, Json]:
        if not all(isinstance(key, str) for key in [*part.arrays, *part.texts, *part.parts]):
            raise TypeError(f"{where}: names of arrays, texts and parts are str")
        start = len(texts)
        texts.extend(part.texts.values())
        return {
            "version": part.version,
            "values": _encode(dict(part.values), where),
            "arrays": {name: place(array, f"{where}.{name}") for name, array in part.arrays.items()},
            "texts": {name: start + i for i, name in enumerate(part.texts)},
            "parts": {name: node(inner, f"{where}.{name}") for name, inner in part.parts.items()},
        }

    files = {"state.json": _dump(node(state, "state")), "arrays.safetensors": save(arrays)}
    return files | {f"texts/{i}.txt": text.encode("utf-8", "surrogatepass") for i, text in enumerate(texts)}


def _unpack(files: Mapping[str, bytes]) -> State:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(files["arrays.safetensors"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"arrays.safetensors does not parse ({_one_line(error)}); save the model again") from None
    texts = {name: data for name, data in files.items() if name.startswith("texts/")}

    def array(place: Json) -> Array:
        if isinstance(place, str):
            return arrays.pop(place)
        return _strings(place["strings"], place["shape"])

    def text(place: Json) -> str:
        return texts.pop(f"texts/{place}.txt").decode("utf-8", "surrogatepass")

    def node(part: Json) -> State:
        if part.keys() != {"version", "values", "arrays", "texts", "parts"} or type(part["version"]) is not int:
            raise ValueError("a part has other fields than it should")
        return State(
            part["version"],
            dict(_decode(part["values"])),
            {name: array(place) for name, place in part["arrays"].items()},
            {name: text(place) for name, place in part["texts"].items()},
            {name: node(inner) for name, inner in part["parts"].items()},
        )

    try:
        state = node(_parse("state.json", files["state.json"]))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"state.json is no tree of parts ({_one_line(error)}); save the model again") from None
    if left := [*arrays, *texts]:
        raise ArtifactError(f"nothing in state.json refers to {left[0]!r}; the file was put together by hand")
    return state


def _strings(strings: list[Json], shape: list[Json]) -> Array:
    """Text array from JSON; checked first, since numpy gives every cell the width of the longest."""
    if not all(isinstance(text, str) for text in strings):
        raise ValueError("a text array holds something else")
    if not all(type(size) is int and 0 <= size < 1 << 31 for size in shape) or math.prod(shape) != len(strings):
        raise ValueError("a text array does not have the shape it claims")
    if len(strings) * max(map(len, strings), default=0) * 4 > MAX_JSON_BYTES:
        raise ValueError(f"a text array needs more than {MAX_JSON_BYTES >> 20} MiB")
    return np.array(strings, np.str_).reshape(shape)


# JSON, with what JSON cannot say written as {"$float": "nan"}; keys that start with "$" get a second one.


def _encode(value: Json, where: str) -> Json:
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, list | tuple):
        return [_encode(item, where) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {f"${k}" if k.startswith("$") else k: _encode(v, f"{where}.{k}") for k, v in value.items()}
    raise TypeError(f"{where}: {type(value).__name__} is not a JSON value (or a mapping has keys other than str)")


def _decode(value: Json) -> Json:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$float"}:
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[value["$float"]]
    if any(key.startswith("$") and not key.startswith("$$") for key in value):
        raise ValueError("an unknown marker")
    return {key.removeprefix("$") if key.startswith("$") else key: _decode(item) for key, item in value.items()}


def _dump(value: Json, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent).encode("utf-8", "surrogatepass")


def _parse(name: str, data: bytes) -> Json:
    if len(data) > MAX_JSON_BYTES:
        raise ArtifactError(f"{name} holds {len(data) >> 20} MiB; at most {MAX_JSON_BYTES >> 20} MiB are read")
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not JSON ({_one_line(error)}); save the model again") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# The manifest seals itself and, through the hashes in it, every other file.


def _sealed(manifest: dict[str, Json]) -> bytes:
    return _dump({**manifest, "seal": _sha256(_dump(manifest))}, indent=1)


def _manifest(data: bytes) -> dict[str, Json]:
    manifest = _parse("manifest.json", data)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError("manifest.json is not that of a plait model")
    found = manifest.get("format_version")
    if type(found) is not int or found < 1:
        raise ArtifactError("manifest.json names no format version; save the model again")
    if found > FORMAT_VERSION:
        raise ArtifactError(f"format {found} is newer than this plait reads ({FORMAT_VERSION}); upgrade plait")
    seal = manifest.pop("seal", None)
    try:  # written anew it gives the same bytes: no second key of the same name, no change that parsing would hide
        intact = seal == _sha256(_dump(manifest)) and _sealed(manifest) == data
        decoded = dict(_decode(manifest))
    except (KeyError, RecursionError, TypeError, ValueError):
        intact = False
    if not intact:
        raise ArtifactError("manifest.json was changed after it was written; save the model again")
    return decoded


def _listed(manifest: Mapping[str, Json]) -> dict[str, int]:
    """Sizes of all other files, as the manifest has them."""
    files = manifest.get("files")
    if not isinstance(files, dict) or not files.keys() >= {"state.json", "arrays.safetensors"}:
        raise ArtifactError("manifest.json does not list state.json and arrays.safetensors")
    sizes: dict[str, int] = {}
    for name, entry in files.items():
        size = entry.get("bytes") if isinstance(entry, dict) else None
        if not NAME.fullmatch(name) or name == "manifest.json" or type(size) is not int or size < 0:
            raise ArtifactError(f"manifest.json lists {name!r}, which no plait model has")
        sizes[name] = size
    if len(sizes) > MAX_FILES or sum(sizes.values()) > MAX_BYTES:
        raise ArtifactError(f"more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB; that is no plait model")
    return sizes


def _verified(store: _Store) -> tuple[dict[str, Json], dict[str, bytes]]:
    """The manifest, and the bytes of every file that it lists, after all checks of names, sizes and hashes."""
    if len(store.sizes) > MAX_FILES + 1 or sum(store.sizes.values()) > MAX_BYTES:
        raise ArtifactError(f"more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB; that is no plait model")
    if "manifest.json" not in store.sizes:
        raise ArtifactError("there is no manifest.json in it; that is no plait model")
    if store.sizes["manifest.json"] > MAX_JSON_BYTES:
        raise ArtifactError(f"manifest.json holds more than {MAX_JSON_BYTES >> 20} MiB")
    manifest = _manifest(store.read("manifest.json"))
    listed = _listed(manifest)
    if missing := sorted(listed.keys() - store.sizes.keys()):
        raise ArtifactError(f"{missing[0]} is missing; copy the model again, whole")
    if foreign := sorted(store.sizes.keys() - listed.keys() - {"manifest.json"}):
        raise ArtifactError(f"{foreign[0]!r} does not belong to the model; take it out")
    files: dict[str, bytes] = {}
    for name, size in listed.items():
        if store.sizes[name] != size:
            raise ArtifactError(f"{name} holds {store.sizes[name]} bytes where {size} were written; copy it again")
        files[name] = store.read(name)
        if _sha256(files[name]) != manifest["files"][name].get("sha256"):
            raise ArtifactError(f"{name} was changed after it was written (SHA-256 differs); copy the model again")
    return manifest, files


# Where the files lie.


class _Store(Protocol):
    """Names and sizes of the files of a model, and their bytes."""

    sizes: dict[str, int]

    def read(self, name: str) -> bytes: ...


class _FolderStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        if not self.folder.is_dir():
            raise ArtifactError("there is no such model")
        pending = [self.folder]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    name = Path(entry.path).relative_to(self.folder).as_posix()
                    if name == "texts" and entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    elif not NAME.fullmatch(name) or not entry.is_file(follow_symlinks=False):
                        raise ArtifactError(f"{name!r} does not belong to the model, or is no plain file; take it out")
                    else:
                        self.sizes[name] = entry.stat(follow_symlinks=False).st_size
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def read(self, name: str) -> bytes:
        handle = os.open(self.folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            data = file.read(self.sizes[name] + 1)
        if len(data) != self.sizes[name]:
            raise ArtifactError(f"{name} changed while it was read; read it again")
        return data


class _ZipStore:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            self.archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise ArtifactError(f"it is neither a folder nor a whole zip ({_one_line(error)}); copy it again") from None
        try:
            self._survey()
        except ArtifactError:
            self.archive.close()
            raise
        return self

    def _survey(self) -> None:
        for member in self.archive.infolist():
            name = member.filename
            if name == "texts/" and member.file_size == 0:
                continue
            kind = stat.S_IFMT(member.external_attr >> 16)
            if not NAME.fullmatch(name) or kind not in (0, stat.S_IFREG) or name in self.sizes:
                raise ArtifactError(f"{name!r} does not belong to the model, is no plain file, or is there twice")
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArtifactError(f"{name} is encrypted or packed in an unknown way; zip the folder again")
            self.sizes[name] = member.file_size
        if sum(self.sizes.values()) > max(FREE_BYTES, MAX_RATIO * self.path.stat().st_size):
            raise ArtifactError(f"it unpacks to more than {MAX_RATIO} times its size; that is no plait model")

    def __exit__(self, *exception: object) -> None:
        self.archive.close()

    def read(self, name: str) -> bytes:
        try:
            with self.archive.open(name) as file:
                data = file.read(self.sizes[name] + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise ArtifactError(f"{name} does not unpack ({_one_line(error)}); copy the model again") from None
        if len(data) != self.sizes[name]:
            raise ArtifactError(f"{name} is truncated; copy the model again")
        return data


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    (folder / "texts").mkdir()
    for name, data in files.items():
        with open(folder / name, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _sync(folder / "texts")
    _sync(folder)


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with open(path, "xb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in files.items():
                packing = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
                # a fixed date: the same model is the same file
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, packing)
        file.flush()
        os.fsync(file.fileno())


def _refuse_foreign(target: Path) -> None:
    """Only a model, an empty folder or nothing may be replaced."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return
    try:
        with _ZipStore(target) if target.is_file() else _FolderStore(target) as store:
            _manifest(store.read("manifest.json"))
    except (ArtifactError, KeyError):
        raise ArtifactError(f"{target} is there already and is no plait model; name another path") from None


def _move(beside: Path, target: Path) -> None:
    """Put `beside` in the place of `target`. A folder cannot be renamed over another one: the old one steps aside."""
    if not target.is_dir():
        os.replace(beside, target)
    else:
        old = beside.with_name(f"{beside.name}.old")
        os.rename(target, old)
        try:
            os.rename(beside, target)
        except OSError:
            os.rename(old, target)
            raise
        _remove(old)
    _sync(target.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Flush a directory's entries; only POSIX can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
