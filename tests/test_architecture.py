"""The walls of ARCHITECTURE.md, each a rule over a source tree, and for each rule a small tree that breaks it.

A rule takes the folder of the package and returns its offences, one line each.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import plait
from plait import contracts, registry

PACKAGE = Path(plait.__file__).parent

# Low to high; a file imports only lower levels or its own room.
LEVELS: tuple[set[str], ...] = (
    {"errors"},
    {"contracts"},
    {"registry"},
    {"data", "layers", "metrics", "calc", "threads", "watchers", "watched"},
    {"media", "classical"},
    {"modalities", "learners", "detectors", "heads", "embedders", "calibrators"},
    {"network", "evidence"},
    {"streamed"},
    {"training", "stacking", "tasks", "calibration", "conformal"},
    {"fusion"},
    {"explain"},
    {"artifact"},
    {"checkpoints", "pretraining"},
    {"model"},
    {"estimators"},
    {"judgement", "tuning", "cluster", "edge"},
    {"report", "recipes", "export", "client"},
    {"desks"},
    {"serving"},
    {"__init__"},
    {"cli"},
    {"__main__"},
)
NO_NEIGHBOURS = {
    "modalities",
    "fusion",
    "heads",
    "learners",
    "detectors",
    "embedders",
    "calibrators",
    "watchers",
    "desks",
}
NO_TORCH = {"errors", "contracts", "registry", "data", "metrics", "calc", "media"}
APPLY = {"accepts", "transform", "features", "inputs"}
NOT_IN_APPLY = {"torch", "sklearn", "scipy", "pandas"}
NAMELESS = {"utils", "helpers", "common", "misc", "constants"}
EXECUTING = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"}
EXECUTING_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "np.load", "yaml.unsafe_load"}
EXECUTING_NAMES = {"yaml.Loader", "yaml.CLoader", "yaml.FullLoader", "yaml.UnsafeLoader"}
FILE_LINES, FUNCTION_LINES, CONSTRUCTOR_ARGUMENTS = 500, 60, 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A parsed file: `parts` is its dotted name without the package (``("data", "read")``)."""

    path: Path
    parts: tuple[str, ...]
    source: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.parts[0]

    def at(self, node: ast.AST, said: str) -> str:
        return f"{'.'.join(self.parts)}:{getattr(node, 'lineno', 1)}: {said}"


class Import(NamedTuple):
    """One imported module, and where: `typing` marks ``if TYPE_CHECKING``, `inside` the functions around it."""

    node: ast.stmt
    name: str
    typing: bool
    inside: tuple[str, ...]


def modules(package: Path) -> Iterator[Module]:
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        source = path.read_text("utf-8")
        yield Module(path, parts[:-1] if parts[-1] == "__init__" and parts[:-1] else parts, source, _tree(source))


@cache
def _tree(source: str) -> ast.Module:
    """Parsed once for all rules, of which none changes it."""
    return ast.parse(source)


def imports(package: Path, module: Module) -> Iterator[Import]:
    def walk(node: ast.AST, typing: bool, inside: tuple[str, ...]) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(child, alias.name, typing, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield from (Import(child, name, typing, inside) for name in _from(package, module, child))
            elif isinstance(child, Function):
                yield from walk(child, typing, (*inside, child.name))
            else:
                guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from walk(child, typing or guard, inside)

    yield from walk(module.tree, False, ())


def _from(package: Path, module: Module, node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        around = ("plait", *module.parts) if module.path.name == "__init__.py" else ("plait", *module.parts[:-1])
        base = ".".join([*around[: len(around) - node.level + 1], *filter(None, [node.module])])
    for alias in node.names:
        folder = package.joinpath(*base.split(".")[1:], alias.name)
        inner = base.split(".")[0] == "plait" and (folder.is_dir() or folder.with_suffix(".py").is_file())
        yield f"{base}.{alias.name}" if inner else base


def _ours(name: str) -> tuple[str, ...] | None:
    """Parts of an import of this package, without the package's name; None for any other."""
    head, *rest = name.split(".")
    return (tuple(rest) or ("__init__",)) if head == "plait" else None


def _documented(node: ast.AST) -> ast.Expr | None:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if is_text else None  # type: ignore[return-value]


# The rules


def imports_go_down(package: Path) -> Iterator[str]:
    """Levels, counting imports inside functions and for types only."""
    level = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}
    for module in modules(package):
        if module.room not in level:
            yield module.at(module.tree, f"{module.room!r} has no level")
            continue
        for found in imports(package, module):
            target = _ours(found.name)
            if target is None or target[0] == module.room:
                continue
            if level.get(target[0], len(LEVELS)) >= level[module.room]:
                yield module.at(found.node, f"imports {found.name}, which is not below {module.room}")


def rooms_do_not_know_their_neighbours(package: Path) -> Iterator[str]:
    for module in modules(package):
        if module.room not in NO_NEIGHBOURS:
            continue
        for found in imports(package, module):
            target = _ours(found.name)
            if target and target[0] == module.room and target[:2] not in (module.parts[:2], (module.room,)):
                yield module.at(found.node, f"imports its neighbour {found.name}")


def modalities_are_named_at_home_only(package: Path) -> Iterator[str]:
    names = {p.stem for p in (package / "modalities").glob("*") if not p.stem.startswith("__")}
    for module in modules(package):
        if module.room in {"registry", "recipes"}:
            continue
        prose = {id(expr.value) for node in ast.walk(module.tree) if (expr := _documented(node))}
        for node in ast.walk(module.tree):
            named = (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value in names
                and id(node) not in prose
            )
            if named and module.parts[:2] != ("modalities", node.value):
                yield module.at(node, f"names the modality {node.value!r}")


def low_levels_know_no_torch(package: Path) -> Iterator[str]:
    for module in modules(package):
        for found in imports(package, module):
            if module.room in NO_TORCH and found.name.split(".")[0] == "torch" and not found.typing:
                yield module.at(found.node, "imports torch")


def apply_code_is_light(package: Path) -> Iterator[str]:
    for module in modules(package):
        for found in imports(package, module):
            heavy = found.name.split(".")[0] in NOT_IN_APPLY and not found.typing
            if module.room == "modalities" and heavy and (not found.inside or APPLY & set(found.inside)):
                yield module.at(found.node, f"imports {found.name} where apply code runs")


def budgets_hold(package: Path) -> Iterator[str]:
    for module in modules(package):
        if (lines := module.source.count("\n")) > FILE_LINES:
            yield module.at(module.tree, f"{lines} lines (at most {FILE_LINES})")
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                text = _documented(node)
                lines = (node.end_lineno or 0) - node.lineno + 1
                lines -= (text.end_lineno or 0) - text.lineno + 1 if text else 0
                if lines > FUNCTION_LINES:
                    yield module.at(node, f"{node.name}: {lines} lines (at most {FUNCTION_LINES})")
            if isinstance(node, ast.ClassDef) and (count := _constructor_arguments(node)) > CONSTRUCTOR_ARGUMENTS:
                yield module.at(node, f"{node.name}: {count} constructor arguments (at most {CONSTRUCTOR_ARGUMENTS})")


def _constructor_arguments(node: ast.ClassDef) -> int:
    for inner in node.body:
        if isinstance(inner, Function) and inner.name == "__init__":
            return len(inner.args.posonlyargs) + len(inner.args.args) + len(inner.args.kwonlyargs) - 1
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields = [inner for inner in node.body if isinstance(inner, ast.AnnAssign)]
        return sum("ClassVar" not in ast.unparse(inner.annotation) for inner in fields)
    return 0


def modules_are_named_for_their_meaning(package: Path) -> Iterator[str]:
    for module in modules(package):
        if vague := NAMELESS & set(module.parts):
            yield module.at(module.tree, f"a module called {vague.pop()!r} says nothing")


def importing_does_nothing(package: Path) -> Iterator[str]:
    """Module bodies define and assign; they do not call, loop, try or open."""
    for module in modules(package):
        for node in module.tree.body:
            guard = isinstance(node, ast.If) and (
                "TYPE_CHECKING" in ast.unparse(node.test) or "__name__" in ast.unparse(node.test)
            )
            prose = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            defines = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.ClassDef | Function
            if not (guard or prose or isinstance(node, defines)):
                yield module.at(node, f"{type(node).__name__} at import time")


def nothing_executes_data(package: Path) -> Iterator[str]:
    for module in modules(package):
        for found in imports(package, module):
            if found.name.split(".")[0] in EXECUTING:
                yield module.at(found.node, f"imports {found.name}")
        for node in ast.walk(module.tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in EXECUTING_CALLS:
                yield module.at(node, f"calls {called}")
            if isinstance(node, ast.Attribute) and ast.unparse(node) in EXECUTING_NAMES:
                yield module.at(node, f"uses {ast.unparse(node)}")


def parts_are_found_by_the_registry_only(package: Path) -> Iterator[str]:
    for module in modules(package):
        if module.room in {"registry", "__init__"}:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith("import_module"):
                yield module.at(node, "imports a module by a string")


RULES: tuple[Callable[[Path], Iterator[str]], ...] = (
    imports_go_down,
    rooms_do_not_know_their_neighbours,
    modalities_are_named_at_home_only,
    low_levels_know_no_torch,
    apply_code_is_light,
    budgets_hold,
    modules_are_named_for_their_meaning,
    importing_does_nothing,
    nothing_executes_data,
    parts_are_found_by_the_registry_only,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_walls_stand(rule: Callable[[Path], Iterator[str]]) -> None:
    assert not list(rule(PACKAGE))


def _fields(n: int) -> str:
    return "".join(f"    f{i}: int\n" for i in range(n))


OFFENCES = [
    (imports_go_down, "data/read.py", "from plait import estimators\n"),
    (imports_go_down, "data/read.py", "def f():\n    from plait.fusion.auto import Auto\n"),
    (imports_go_down, "data/read.py", "from plait.metrics import roc\n"),
    (imports_go_down, "evidence.py", "import plait.network\n"),
    (imports_go_down, "errors.py", "from plait import Classifier\n"),
    (imports_go_down, "data/read.py", "from ..fusion import auto\n"),
    (imports_go_down, "heads/binary.py", "if TYPE_CHECKING:\n    from plait.model import Model\n"),
    (imports_go_down, "plumbing.py", "x = 1\n"),
    (rooms_do_not_know_their_neighbours, "heads/binary.py", "from plait.heads.multiclass import M\n"),
    (rooms_do_not_know_their_neighbours, "heads/binary.py", "from . import multiclass\n"),
    (rooms_do_not_know_their_neighbours, "modalities/text/ngrams.py", "import plait.modalities.table.room\n"),
    (modalities_are_named_at_home_only, "fusion/auto.py", "x = source.modality == 'text'\n"),
    (modalities_are_named_at_home_only, "modalities/table/room.py", "x = ['text']\n"),
    (low_levels_know_no_torch, "metrics/roc.py", "def f():\n    import torch.nn\n"),
    (low_levels_know_no_torch, "contracts.py", "from torch import nn\n"),
    (apply_code_is_light, "modalities/text/ngrams.py", "import scipy.sparse\n"),
    (apply_code_is_light, "modalities/table/room.py", "class T:\n    def transform(self):\n        import pandas\n"),
    (budgets_hold, "data/read.py", "x = 1\n" * 501),
    (budgets_hold, "data/read.py", "def f():\n" + "    x = 1\n" * 60),
    (budgets_hold, "data/read.py", f"class A:\n    def __init__(self, {', '.join(f'a{i}' for i in range(13))}): ...\n"),
    (budgets_hold, "data/read.py", "@dataclass(frozen=True)\nclass A:\n" + _fields(13)),
    (modules_are_named_for_their_meaning, "data/utils.py", ""),
    (modules_are_named_for_their_meaning, "data/common/frames.py", ""),
    (importing_does_nothing, "data/read.py", "print('hello')\n"),
    (importing_does_nothing, "data/read.py", "try:\n    import torch\nexcept ImportError:\n    torch = None\n"),
    (nothing_executes_data, "artifact.py", "def f(x):\n    import pickle\n"),
    (nothing_executes_data, "artifact.py", "def f(x):\n    return eval(x)\n"),
    (nothing_executes_data, "artifact.py", "def f(x):\n    return torch.load(x)\n"),
    (
        parts_are_found_by_the_registry_only,
        "fusion/auto.py",
        "from importlib import import_module\nx = import_module\n",
    ),
]

INNOCENT = {
    "errors.py": '"""Errors."""\n',
    "contracts.py": "if TYPE_CHECKING:\n    import torch\n",
    "registry.py": "x = 'text'\nfrom importlib import import_module\ny = import_module('json')\n",
    "data/read.py": '"""text"""\nfrom plait.errors import DataError\n',
    "metrics/roc.py": "import numpy as np\n",
    "modalities/text/ngrams.py": "from plait.modalities.text import words\nx = 'text'\n",
    "modalities/text/words.py": "class T:\n    def fit(self):\n        import sklearn\n",
    "modalities/table/room.py": "@dataclass\nclass A:\n    kind: ClassVar[int]\n" + _fields(12),
    "heads/binary.py": "from plait.data.read import read\n",
    "heads/multiclass.py": "def f():\n" + "    x = 1\n" * 59,
    "evidence.py": "from plait import registry\n",
    "network.py": "def f(model):\n    model.eval()\n",
    "fusion/auto.py": "import plait.evidence\n",
    "estimators.py": "from plait.fusion.auto import Auto\n",
    "__init__.py": "",
}


def _write(package: Path, name: str, source: str) -> None:
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_text(source)


@pytest.fixture
def innocent(tmp_path: Path) -> Path:
    for name, source in INNOCENT.items():
        _write(tmp_path / "plait", name, source)
    return tmp_path / "plait"


def test_an_innocent_tree_passes(innocent: Path) -> None:
    assert not [offence for rule in RULES for offence in rule(innocent)]


@pytest.mark.parametrize(("rule", "name", "source"), OFFENCES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_offence_is_found(innocent: Path, rule: Callable[[Path], Iterator[str]], name: str, source: str) -> None:
    _write(innocent, name, source)
    assert list(rule(innocent))


# What only running shows


@cache
def _loaded_by(*names: str) -> frozenset[str]:
    """Top-level packages in memory after importing `names` in a fresh process."""
    code = f"import sys, {', '.join(names)}; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.split())


def test_import_plait_is_light() -> None:
    assert not _loaded_by("plait") & {"torch", "sklearn", "pandas", "numpy", "scipy", "matplotlib", "lightgbm"}


def test_the_command_line_starts_light() -> None:
    assert not _loaded_by("plait.cli") & {"torch", "sklearn", "pandas", "numpy", "scipy", "matplotlib", "lightgbm"}


def test_rooms_can_be_packed_without_the_learning_libraries() -> None:
    places = [registry.target("modalities", name).partition(":")[0] for name in registry.KINDS["modalities"]]
    assert not _loaded_by(*places) & NOT_IN_APPLY


PROTOCOLS = {
    "modalities": contracts.Modality,
    "encoders": contracts.Encoder,
    "learners": contracts.Learner,
    "heads": contracts.Head,
    "readers": contracts.Reader,
    "embedders": contracts.Embedder,
    "calibrators": contracts.Calibrator,
    "detectors": contracts.Detector,
    "watchers": contracts.Watcher,
}


def _promised(protocol: type) -> set[str]:
    """What a class must have: class variables and methods; what an instance has is for the conformance suites."""
    variables = {name for name, kind in protocol.__annotations__.items() if str(kind).startswith("ClassVar")}
    methods = {name for name, value in vars(protocol).items() if callable(value) or isinstance(value, classmethod)}
    return variables | {name for name in methods if not name.startswith("_") or name == "__call__"}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, parts in registry.KINDS.items() for name in parts])
def test_every_registered_part_is_there(kind: str, name: str) -> None:
    part = registry.get(kind, name)
    if kind == "fusions":
        assert {"name", "fit"} <= set(dir(part))
    elif kind in PROTOCOLS:
        assert not _promised(PROTOCOLS[kind]) - set(dir(part))
    elif kind == "desks":
        assert isinstance(part, contracts.Desk)
    else:  # recipes are functions, and wrappers have the names of what they wrap
        assert callable(part)
    assert kind == "wrappers" or getattr(part, "name", name) == name
    assert part.__doc__
