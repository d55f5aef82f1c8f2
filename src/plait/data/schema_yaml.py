"""A schema as YAML that people edit: comments on top, one line a column, names and dates left as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from plait import registry
from plait.contracts import Json
from plait.data.files import replacing
from plait.errors import SchemaError

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["dump", "load"]

_HEAD = """\
# What each column is, one line a column. Edit it and pass the file back.
#   NAME: MODALITY    evidence, read as: {modalities}
#   NAME: ROLE        {roles}
#   NAME: {{modality: MODALITY, options: {{...}}, share: ENCODER, side: LONG_TABLE}}    evidence with more to say
"""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which keys are the text that stands there, no key stands twice, and dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        out: dict[str, Json] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise SchemaError(f"line {line}: a name must be plain text; put it in quotes")
            if key.value in out:
                raise SchemaError(f"line {line}: {key.value!r} stands twice; a column has one role")
            out[key.value] = self.construct_object(value, deep=True)
        return out


def dump(schema: Schema, path: str | Path) -> None:
    """Write `schema`; the file appears whole or not at all."""
    from plait.data.schema import ROLES

    said = schema.to_json()
    why = {spec.name: f"  # {spec.why}" for spec in schema.columns if spec.why}
    head = _HEAD.format(modalities=", ".join(registry.names("modalities")), roles=", ".join(ROLES[1:]))
    lines = [head + f"version: {said['version']}", "columns:" + ("" if said["columns"] else " {}")]
    lines += [f"  {_line(name, value)}{why.get(name, '')}" for name, value in said["columns"].items()]
    if schema.sides:
        lines += ["sides:", *(f"  {_line(name, value)}" for name, value in said["sides"].items())]
    with replacing(path) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(name: str, value: Json) -> str:
    flow = yaml.safe_dump(
        {name: value}, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return flow.strip()[1:-1]  # without the outer braces it is a line of a block


def load(path: str | Path) -> Json:
    """Read a YAML file as JSON values."""
    try:
        loader = _Loader(Path(path).read_text(encoding="utf-8"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except SchemaError as error:
        raise SchemaError(f"{str(path)!r}, {error}") from None
    except yaml.MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        raise SchemaError(f"{str(path)!r}, line {line}: not YAML ({error.problem})") from None
    except (OSError, RecursionError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SchemaError(f"cannot read the schema {str(path)!r}: {str(error).splitlines()[0]}") from None
