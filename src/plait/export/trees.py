"""LightGBM's boosters as one ONNX graph: a ``TreeEnsembleRegressor`` of ai.onnx.ml 3, all in float64.

LightGBM compares features as float64 with float64 thresholds (``value <= threshold`` goes left), and so does ONNX
Runtime where thresholds are given as tensors: a cell that stands on a threshold falls on the same side. Where a cell is
missing LightGBM goes the node's default way, or compares zero, by the node's ``missing_type`` (LightGBM,
``include/LightGBM/tree.h``, ``NumericalDecision``). A categorical split, ``value in {a, b, ...}``, is a chain of
``value == a`` whose true branches lead to the same node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.contracts import Array, Json
from plait.edge.graphs import INPUT, OUTPUT
from plait.errors import ConfigError

if TYPE_CHECKING:
    import lightgbm

__all__ = ["as_graph"]


@dataclass
class _Nodes:
    """Nodes of all trees, one list an attribute of the operator."""

    tree: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    missing_is_yes: list[int] = field(default_factory=list)
    leaves: list[tuple[int, int, int, float]] = field(default_factory=list)  # tree, node, output, value

    def add(self, tree: int, node: int, mode: str, feature: int = 0, value: float = 0.0) -> int:
        """A node whose branches are set later; its position."""
        for column, cell in (
            (self.tree, tree),
            (self.node, node),
            (self.feature, feature),
            (self.yes, 0),
            (self.no, 0),
            (self.missing_is_yes, 0),
        ):
            column.append(cell)
        self.mode.append(mode)
        self.value.append(value)
        return len(self.node) - 1


def as_graph(boosters: Sequence[lightgbm.Booster]) -> Array:
    """The mean of boosters as an ONNX graph, from features (float64 ``N x F``) to scores (float64 ``N x K``).

    Parameters
    ----------
    boosters
        Of the same features and outputs. Those that average their trees (random forests) keep doing so.

    Returns
    -------
    numpy.ndarray
        uint8, the serialised graph.

    Raises
    ------
    ConfigError
        If a booster has splits that ONNX does not know (zeros taken as missing, linear leaves).
    """
    dumps = [booster.dump_model() for booster in boosters]
    outputs, width = dumps[0]["num_tree_per_iteration"], dumps[0]["max_feature_idx"] + 1
    nodes, tree = _Nodes(), 0
    for dump in dumps:
        rounds = max(len(dump["tree_info"]) // outputs, 1)
        share = 1 / len(dumps) / (rounds if dump.get("average_output") else 1)
        for info in dump["tree_info"]:
            _grow(nodes, tree, info["tree_structure"], tree_output=info["tree_index"] % outputs, share=share)
            tree += 1
    return _serialised(nodes, width, outputs)


def _grow(nodes: _Nodes, tree: int, root: Mapping[str, Json], tree_output: int, share: float) -> None:
    """Add a tree, its nodes numbered from 0 at the root, without recursion: trees may be deep."""
    count = 0

    def number() -> int:
        nonlocal count
        count += 1
        return count - 1

    waiting: list[tuple[Mapping[str, Json], int]] = [(root, number())]
    while waiting:
        split, at = waiting.pop()
        if "split_feature" not in split:
            nodes.add(tree, at, "LEAF")
            nodes.leaves.append((tree, at, tree_output, share * split["leaf_value"]))
            continue
        left, right = number(), number()
        waiting += [(split["left_child"], left), (split["right_child"], right)]
        chain = list(_tests(split))
        for i, (mode, value, missing_is_yes) in enumerate(chain):
            place = nodes.add(tree, at, mode, split["split_feature"], value)
            at = right if i == len(chain) - 1 else number()
            nodes.yes[place], nodes.no[place] = left, at
            nodes.missing_is_yes[place] = int(missing_is_yes)


def _tests(split: Mapping[str, Json]) -> Iterator[tuple[str, float, bool]]:
    """A split as tests one after the other, each as mode, value, and whether a missing cell passes."""
    if split["decision_type"] == "==":
        for code in str(split["threshold"]).split("||"):
            yield "BRANCH_EQ", float(code), False  # LightGBM sends a missing category to the right
    elif split["decision_type"] == "<=" and split["missing_type"] in ("NaN", "None"):
        threshold = float(split["threshold"])
        yield "BRANCH_LEQ", threshold, split["default_left"] if split["missing_type"] == "NaN" else threshold >= 0
    else:
        raise ConfigError(
            f"a booster splits by {split['decision_type']!r} with missing cells as {split['missing_type']!r}, which "
            "cannot be exported; fit with the learners' own options"
        )


def _serialised(nodes: _Nodes, width: int, outputs: int) -> Array:
    from onnx import TensorProto, helper, numpy_helper

    leaves = sorted(nodes.leaves)
    attributes: dict[str, Any] = {
        "aggregate_function": "SUM",
        "n_targets": outputs,
        "nodes_treeids": nodes.tree,
        "nodes_nodeids": nodes.node,
        "nodes_modes": nodes.mode,
        "nodes_featureids": nodes.feature,
        "nodes_values_as_tensor": numpy_helper.from_array(np.array(nodes.value, np.float64)),
        "nodes_truenodeids": nodes.yes,
        "nodes_falsenodeids": nodes.no,
        "nodes_missing_value_tracks_true": nodes.missing_is_yes,
        "target_treeids": [tree for tree, *_ in leaves],
        "target_nodeids": [node for _, node, *_ in leaves],
        "target_ids": [output for *_, output, _ in leaves],
        "target_weights_as_tensor": numpy_helper.from_array(np.array([value for *_, value in leaves], np.float64)),
    }
    # the operator's result is float32 by its definition; ONNX Runtime sums in float64 and rounds once
    node = helper.make_node("TreeEnsembleRegressor", [INPUT], [OUTPUT], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, outputs])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="plait")
    return np.frombuffer(model.SerializeToString(deterministic=True), np.uint8)
