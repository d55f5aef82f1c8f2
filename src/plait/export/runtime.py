"""The package `plait_edge`: the files that an exported model needs, as they are here, in a wheel of their own."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from plait import artifact, registry
from plait.data.files import made_folder, replacing

__all__ = ["build", "files"]

OURS, THEIRS = "plait", "plait_edge"
EDGE = f"{OURS}.edge"
KINDS = ("modalities", "heads", "calibrators", "learners")  # parts of which an exported model may hold any
HEAVY = {"torch", "sklearn", "scipy", "pandas", "pyarrow", "lightgbm", "matplotlib", "ray"}
NEEDS = ("numpy>=2.0", "onnxruntime>=1.20", "safetensors>=0.4")
DECODERS = {"PIL": "pillow>=10", "av": "av>=12", "sentencepiece": "sentencepiece>=0.2", "trimesh": "trimesh>=4.5"}
MOMENT = (1980, 1, 1, 0, 0, 0)  # a fixed date: the same files make the same wheel
IMPORTS = re.compile(rf"^(\s*(?:from|import) ){OURS}(?=[. ])", re.MULTILINE)
PLACES = re.compile(rf'"{OURS}(?=\.[a-z_.0-9]+:)')  # of parts, in the registry


def build(folder: str | os.PathLike[str]) -> Path:
    """Write the wheel of `plait_edge` into a folder; the same installation writes the same bytes.

    Returns
    -------
    Path
        Of the wheel; `pip install` takes it. It needs numpy, ONNX Runtime and safetensors; what decodes the cells of
        a room is an extra of the room's name (``image``, ``audio``).

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    version = artifact.versions()[OURS]
    path = made_folder(folder) / f"{THEIRS}-{version}-py3-none-any.whl"
    info = f"{THEIRS}-{version}.dist-info"
    content = {f"{THEIRS}/{name}": text.encode() for name, text in files().items()}
    content[f"{info}/METADATA"] = _metadata(version).encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: plait\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    with replacing(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def files() -> dict[str, str]:
    """What the package holds, by path: what `plait.edge` imports, and every part that an exported model may hold."""
    parts = [_module(kind, name) for kind in KINDS for name in registry.KINDS[kind]]
    found = {_file(name).relative_to(_root()).as_posix(): _moved(_file(name)) for name in _reached(EDGE, *parts)}
    return {"__init__.py": _moved(_file(EDGE)), **found}


def _module(kind: str, name: str) -> str:
    return registry.target(kind, name).partition(":")[0]


def _reached(*modules: str) -> list[str]:
    """Our modules that these need where there is no library of learning, themselves among them, in order."""
    chosen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in chosen:
            continue
        chosen.add(module)
        parent = module.rpartition(".")[0]
        waiting += [] if parent == OURS else [parent]
        waiting += _imported(module, inside=False)
        waiting += [late for late in _imported(module, inside=True) if _light(late)]
    return sorted(chosen)


def _extras() -> dict[str, list[str]]:
    """What each room decodes its cells with, by the room's name."""
    found = {}
    for name in sorted(registry.KINDS["modalities"]):
        modules = _reached(_module("modalities", name))
        named = (one for module in modules for late in (False, True) for one in _names(module, inside=late))
        if used := {one.partition(".")[0] for one in named} & set(DECODERS):
            found[name] = sorted(DECODERS[one] for one in used)
    return found


def _root() -> Path:
    return Path(registry.__file__).parent


def _file(module: str) -> Path:
    place = _root().joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _moved(path: Path) -> str:
    """The file, its imports and the places of parts under the other name."""
    return PLACES.sub(f'"{THEIRS}', IMPORTS.sub(rf"\g<1>{THEIRS}", path.read_text("utf-8")))


@cache
def _light(module: str) -> bool:
    """Whether importing a module loads no library of learning."""
    seen, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if {found.partition(".")[0] for found in _names(name, inside=False)} & HEAVY:
            return False
        waiting += _imported(name, inside=False)
    return True


def _imported(module: str, *, inside: bool) -> list[str]:
    """Our modules that a module imports, at its top or `inside` of functions."""
    names = (name for name in _names(module, inside=inside) if name.startswith(f"{OURS}."))
    return [name if _file(name).is_file() else name.rpartition(".")[0] for name in names]


@cache
def _names(module: str, *, inside: bool) -> tuple[str, ...]:
    return tuple(_walk(ast.parse(_file(module).read_text("utf-8")), inside, wanted=not inside))


def _walk(node: ast.AST, inside: bool, wanted: bool) -> Iterator[str]:
    """What is imported, imports for types left out; ``from a import b`` as ``a.b``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import) and wanted:
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and wanted:
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if inside:
                yield from _walk(child, inside, wanted=True)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _walk(child, inside, wanted)


def _metadata(version: str) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {THEIRS.replace('_', '-')}",
        f"Version: {version}",
        "Summary: Exported Plait models: the whole pipeline on numpy and ONNX Runtime.",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {need}" for need in NEEDS),
    ]
    for extra, needs in _extras().items():
        lines += [f"Provides-Extra: {extra}", *(f'Requires-Dist: {need}; extra == "{extra}"' for need in needs)]
    return "\n".join([*lines, ""])


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
