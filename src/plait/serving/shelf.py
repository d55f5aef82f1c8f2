"""What is served: models by name, each with a champion, challengers and shadows, and fitted models of desks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from plait import registry
from plait.contracts import Json, Side
from plait.data.asof import sides as long_tables
from plait.errors import ConfigError, unknown
from plait.estimators import load_predictor
from plait.serving.answers import scored
from plait.serving.batching import Scored
from plait.serving.errors import RefusedError
from plait.serving.rows import Form, Rows

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["Fitted", "Named", "Role", "Served", "Shelf", "digest_of", "written"]

Role = Literal["champion", "challenger", "shadow"]
ROLES = ("champion", "challengers", "shadows")


@dataclass(frozen=True, eq=False)
class Served:
    """One version of a model.

    Parameters
    ----------
    name, version
        What requests call it.
    estimator
        The loaded model.
    schema
        Its schema.
    form
        What its rows look like.
    digest
        SHA-256 of its files.
    path
        Where it was loaded from.
    sides
        Long tables that its schema says where to find; those that come with a request stand in for them.
    """

    name: str
    version: str
    estimator: Any
    schema: Schema
    form: Form
    digest: str
    path: str
    sides: Mapping[str, Side] = field(default_factory=dict)

    @classmethod
    def open(cls, name: str, version: str | None, path: str) -> Served:
        """Load a saved model and have it score one made row, so that the first request finds it warm.

        Raises
        ------
        InputError
            If there is no model, it is damaged, or it predicts no target.
        """
        from plait.serving.shape import example_row

        digest = digest_of(path)
        estimator = load_predictor(path)
        schema = estimator.schema_
        form = Form(schema, estimator.model_.rooms)
        kept = [each for each in schema.sides if each.path is not None and Path(each.path).exists()]
        found = {} if len(kept) < len(schema.sides) else long_tables(schema)
        served = cls(name, version or digest[:12], estimator, schema, form, digest, path, found)
        if len(found) == len(schema.sides):
            served.score(form.records([example_row(form)]))
        return served

    def score(self, rows: Rows) -> Scored:
        """What the model says of rows."""
        return scored(self.estimator, rows.frame(), {**self.sides, **rows.sides})


@dataclass(frozen=True)
class Named:
    """The versions of one model: who answers, who answers a share of the requests, and who only listens."""

    champion: Served
    challengers: tuple[tuple[Served, float], ...] = ()
    shadows: tuple[Served, ...] = ()

    def __iter__(self) -> Iterator[tuple[Role, Served, float]]:
        """Every version with its role and its share of the requests."""
        yield "champion", self.champion, 1.0 - sum(share for _, share in self.challengers)
        for served, share in self.challengers:
            yield "challenger", served, share
        for served in self.shadows:
            yield "shadow", served, 0.0

    def chosen(self, request: str, version: str | None) -> tuple[Role, Served]:
        """Who answers a request: the version that it names, else by its id, so that the same request meets the same.

        Raises
        ------
        RefusedError
            404 where no version of that name answers.
        """
        answering = [(role, served, share) for role, served, share in self if role != "shadow"]
        if version is not None:
            for role, served, _ in answering:
                if served.version == version:
                    return role, served
            known = [served.version for _, served, _ in answering]
            raise RefusedError(404, str(unknown(f"version of {self.champion.name}", version[:60], known)))
        place = int.from_bytes(hashlib.sha256(request.encode()).digest()[:8]) / 2**64
        for role, served, share in reversed(answering):
            if place < share:
                return role, served
            place -= share
        return "champion", self.champion


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model of a desk, and what rows for it look like."""

    desk: str
    name: str
    model: Any
    form: Form | None
    digest: str
    path: str


@dataclass(frozen=True)
class Shelf:
    """All that is served.

    Parameters
    ----------
    models
        By name.
    desks
        By desk, its fitted models by name; the operations of other desks are not served.
    """

    models: Mapping[str, Named]
    desks: Mapping[str, Mapping[str, Fitted]] = field(default_factory=dict)

    @classmethod
    def open(cls, spec: str | Path, before: Shelf | None = None) -> Shelf:
        """Load what a shelf file (YAML) or the path of one saved model names.

        Parameters
        ----------
        before
            A shelf that is open: versions whose files are the same are taken from it.

        Raises
        ------
        ConfigError
            If the file says what it may not.
        InputError
            If a model cannot be loaded.
        """
        kept = {(each.name, each.version, each.path, each.digest): each for each in before or ()}

        def served(name: str, said: Any) -> Served:
            path, version = said["path"], said.get("version")
            old = kept.get((name, version, path, digest_of(path))) if version else None
            return old or Served.open(name, version, path)

        path = Path(spec)
        if path.suffix not in (".yaml", ".yml"):
            return cls({path.stem: Named(Served.open(path.stem, None, str(path)))})
        told = written(path)
        models = {
            name: Named(
                served(name, said["champion"]),
                tuple((served(name, each), float(each["share"])) for each in said.get("challengers", ())),
                tuple(served(name, each) for each in said.get("shadows", ())),
            )
            for name, said in told["models"].items()
        }
        desks = {
            desk: {name: _fitted(desk, name, said["path"]) for name, said in fitted.items()}
            for desk, fitted in told["desks"].items()
        }
        return cls(models, desks)

    def __iter__(self) -> Iterator[Served]:
        return (served for named in self.models.values() for _, served, _ in named)

    @property
    def champions(self) -> dict[str, str]:
        """The version of each model's champion."""
        return {name: named.champion.version for name, named in self.models.items()}

    def to_json(self) -> dict[str, Json]:
        """What is served, as ``/v1/models`` answers it."""
        models = [
            {
                "model": name,
                "versions": [
                    {"version": served.version, "role": role, "share": share, "digest": served.digest}
                    for role, served, share in named
                ],
                "targets": list(named.champion.schema.targets),
                "sides": list(named.champion.form.tables),
            }
            for name, named in self.models.items()
        ]
        desks = {
            desk: [{"model": each.name, "digest": each.digest} for each in fitted.values()]
            for desk, fitted in self.desks.items()
        }
        return {"models": models, "desks": desks}

    def named(self, name: str | None) -> Named:
        """The model of a name, or the only one.

        Raises
        ------
        RefusedError
            404 where there is none; 422 where one of several has to be named.
        """
        if name is None:
            if len(self.models) == 1:
                return next(iter(self.models.values()))
            raise RefusedError(422, f"model: name one of {', '.join(sorted(self.models)) or '(none is served)'}")
        if name not in self.models:
            raise RefusedError(404, str(unknown("model", name[:60], self.models)))
        return self.models[name]


def _fitted(desk: str, name: str, path: str) -> Fitted:
    offered = registry.get("desks", desk)
    model = offered.load(path)
    reads = offered.estimator and offered.estimator(model)
    form = None if reads is None else Form(reads.schema_, reads.model_.rooms, open=True)
    return Fitted(desk, name, model, form, digest_of(path), path)


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names, as hex.

    Raises
    ------
    ConfigError
        If nothing that can be read is there.
    """
    target, total = Path(path), hashlib.sha256()
    try:
        files = sorted(each for each in target.rglob("*") if each.is_file()) if target.is_dir() else [target]
        for each in files:
            with each.open("rb") as file:
                held = hashlib.file_digest(file, "sha256").digest()
            total.update(each.relative_to(target).as_posix().encode() + b"\0" + held)
    except OSError as error:
        raise ConfigError(f"no model can be read at {str(path)!r}: {error.strerror}") from None
    return total.hexdigest()


def written(path: Path) -> dict[str, Any]:
    """A shelf file as it is written, checked; paths in it start where it lies.

    Raises
    ------
    ConfigError
        If it cannot be read, is no YAML, or says what it may not.
    """
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the shelf file {str(path)!r} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"the shelf file {str(path)!r} is no YAML: {' '.join(str(error).split())[:200]}") from None
    shelf = _mapping(f"{path.name}", told, ("models", "desks"))
    models = _mapping("models", shelf.get("models") or {})
    desks = _mapping("desks", shelf.get("desks") or {})
    if not models and not desks:
        raise ConfigError(f"the shelf file {str(path)!r} names no model; write models: {{NAME: {{champion: ...}}}}")
    for name, said in models.items():
        _check_model(f"models.{name}", said, path.parent)
    for desk, fitted in desks.items():
        if desk not in registry.names("desks"):
            raise unknown("desk", desk, registry.names("desks"))
        for name, said in _mapping(f"desks.{desk}", fitted or {}).items():
            _check_version(f"desks.{desk}.{name}", said, ("path",), path.parent)
    return {"models": models, "desks": {desk: fitted or {} for desk, fitted in desks.items()}}


def _check_model(where: str, said: Any, folder: Path) -> None:
    told = _mapping(where, said, ROLES)
    if "champion" not in told:
        raise ConfigError(f"{where} has no champion; write champion: {{path: ..., version: ...}}")
    versions = [_check_version(f"{where}.champion", told["champion"], ("path", "version"), folder)]
    shares = 0.0
    for role, keys in (("challengers", ("path", "version", "share")), ("shadows", ("path", "version"))):
        listed = told.get(role, [])
        if not isinstance(listed, list):
            raise ConfigError(f"{where}.{role}: expected a list, found {listed!r}")
        for i, each in enumerate(listed):
            versions.append(_check_version(f"{where}.{role}[{i}]", each, keys, folder))
            if role == "challengers":
                share = each.get("share")
                if not isinstance(share, int | float) or isinstance(share, bool) or not 0 < share < 1:
                    raise ConfigError(f"{where}.{role}[{i}].share is {share!r} (allowed: a number between 0 and 1)")
                shares += share
    if shares >= 1:
        raise ConfigError(f"{where}: the challengers' shares come to {shares:g}; leave something to the champion")
    if len(versions) > 1 and (None in versions or len(set(versions)) < len(versions)):
        raise ConfigError(f"{where} has several versions; give each a version of its own")


def _check_version(where: str, said: Any, keys: tuple[str, ...], folder: Path) -> str | None:
    """Check what says where a version is, and make its path whole."""
    told = _mapping(where, said, keys)
    if not isinstance(told.get("path"), str):
        raise ConfigError(f"{where} has no path; write path: FOLDER")
    told["path"] = str(folder / told["path"])
    version = told.get("version")
    if version is not None:
        told["version"] = str(version)
    return None if version is None else str(version)


def _mapping(where: str, said: Any, keys: tuple[str, ...] = ()) -> dict[str, Json]:
    if not isinstance(said, dict) or not all(isinstance(key, str) for key in said):
        raise ConfigError(f"{where}: expected 'name: value' pairs, found {said!r}")
    for key in said:
        if keys and key not in keys:
            raise ConfigError(f"{where}: {unknown('key', key, keys)}")
    return said
