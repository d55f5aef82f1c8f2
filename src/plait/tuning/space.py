"""What is searched: the spaces that parts declare themselves, or what a person wrote; by ``part.option``."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import yaml

from plait import registry
from plait.contracts import Between, Json, OneOf, Space
from plait.errors import ConfigError, DataError, unknown

__all__ = ["check_space", "read_space", "space_of"]


def space_of(fusion: str, learner: str | None) -> dict[str, Between | OneOf]:
    """What fusion and learner declare, under names such as ``"lightgbm.leaves"``.

    Raises
    ------
    ConfigError
        If they declare nothing: there is no such part, or it chooses on its own.
    """
    part = registry.get("fusions", fusion)
    named = signature(part).parameters.get("learner")
    chosen = learner or (named.default if named is not None else None)
    found = _prefixed(fusion, part)
    if isinstance(chosen, str):
        found |= _prefixed(chosen, registry.get("learners", chosen))
    if not found:
        raise ConfigError(
            f"fusion {fusion!r} declares nothing to search; name another one ('early', 'attention'), or give a space "
            "of your own"
        )
    return found


def _prefixed(name: str, part: Any) -> dict[str, Between | OneOf]:
    space: Space = getattr(part, "space", {})
    return {f"{name}.{option}": where for option, where in space.items()}


def read_space(path: str | Path) -> dict[str, Between | OneOf]:
    """A space that a person wrote as YAML, which stands for all that parts declare.

    ::

        lightgbm:
          leaves: {between: [4, 64], log: true}
          members: {one_of: [1, 3]}

    Raises
    ------
    DataError
        If the file cannot be read.
    ConfigError
        If it is no space; part and option are named.
    """
    try:
        told = yaml.safe_load(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot read the space {str(path)!r}: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(told, dict) or not told or not all(isinstance(own, dict) for own in told.values()):
        raise ConfigError(
            f"{str(path)!r} is no space; write a part, below it its options, as in {{leaves: {{between: [4, 64]}}}}"
        )
    found = {
        f"{part}.{option}": _where(f"{part}.{option}", said)
        for part, own in told.items()
        for option, said in own.items()
    }
    check_space(found)
    return found


def _where(name: str, said: Json) -> Between | OneOf:
    if isinstance(said, dict) and set(said) == {"one_of"} and isinstance(said["one_of"], list) and said["one_of"]:
        return OneOf(tuple(said["one_of"]))
    if isinstance(said, dict) and "between" in said and set(said) <= {"between", "log"}:
        ends, log = said["between"], said.get("log", False)
        numbers = isinstance(ends, list) and len(ends) == 2 and all(type(end) in (int, float) for end in ends)
        if numbers and ends[0] < ends[1] and isinstance(log, bool) and (ends[0] > 0 or not log):
            return Between(ends[0], ends[1], log)
    raise ConfigError(
        f"space of {name}: {said!r} is not understood (allowed: {{between: [LOW, HIGH]}}, with log: true where LOW is "
        "above 0, or {one_of: [...]})"
    )


def check_space(space: Space) -> None:
    """Check that every name is an option of a part.

    Raises
    ------
    ConfigError
        If one is not; the nearest one is suggested.
    """
    kinds = {name: kind for kind in ("fusions", "learners") for name in registry.names(kind)}
    if not space:
        raise ConfigError("the space is empty; name at least one part.option")
    for name in space:
        part, _, option = name.partition(".")
        if part not in kinds:
            raise unknown("part in the space", part, kinds)
        allowed = signature(registry.get(kinds[part], part)).parameters
        if option not in allowed:
            raise unknown(f"option of {part} in the space", option, allowed)
