"""LightGBM's boosters as one ONNX graph: ``TreeEnsemble`` of ai.onnx.ml 5, all in float64, bit by bit the same.

LightGBM compares features as float64 with float64 thresholds (``value <= threshold`` goes left) and adds float64 leaves
tree after tree; so does this graph, so that a cell that stands on a threshold falls on the same side, and rows that tie
still do. Where a cell is missing LightGBM goes the node's default way, or compares zero, by the node's
``missing_type`` (LightGBM, ``include/LightGBM/tree.h``, ``NumericalDecision``); a missing category goes right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.contracts import Array, Json
from plait.edge.graphs import INPUT, OUTPUT
from plait.errors import ConfigError

if TYPE_CHECKING:
    import lightgbm
    from onnx import NodeProto

__all__ = ["as_graph"]

AT_MOST, MEMBER = 0, 6  # modes of a split: ``<=``, and ``in`` a set
LEFT, RIGHT = 0, 1


@dataclass
class _Trees:
    """Splits and leaves of all trees of a booster, as the operator's attributes have them.

    `branches` are left and right, each the place of a split or, where `ends`, of a leaf.
    """

    roots: list[int] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    members: list[float] = field(default_factory=list)
    missing_is_left: list[int] = field(default_factory=list)
    branches: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    ends: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    leaves: list[float] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def grow(self, root: Mapping[str, Json], output: int) -> None:
        """Add a tree, without recursion: trees may be deep."""
        self.roots.append(len(self.modes))
        if "split_feature" not in root:  # a tree that is a leaf: whatever the first feature is
            self._split(AT_MOST, 0, 0.0, False)
            self._end(len(self.modes) - 1, LEFT, root, output)
            self._end(len(self.modes) - 1, RIGHT, root, output)
            return
        waiting: list[tuple[Mapping[str, Json], int, int]] = [(root, -1, LEFT)]
        while waiting:
            node, parent, side = waiting.pop()
            if "split_feature" not in node:
                self._end(parent, side, node, output)
                continue
            here = self._add(node)
            if parent >= 0:
                self.branches[side][parent] = here
            waiting += [(node["right_child"], here, RIGHT), (node["left_child"], here, LEFT)]

    def _add(self, node: Mapping[str, Json]) -> int:
        kind, missing = node["decision_type"], node["missing_type"]
        if kind == "==":
            self.members += [*map(float, str(node["threshold"]).split("||")), np.nan]
            return self._split(MEMBER, node["split_feature"], 0.0, False)
        if kind == "<=" and missing in ("NaN", "None"):
            threshold = float(node["threshold"])
            left = node["default_left"] if missing == "NaN" else threshold >= 0
            return self._split(AT_MOST, node["split_feature"], threshold, left)
        raise ConfigError(
            f"a booster splits by {kind!r} with missing cells as {missing!r}, which cannot be exported; fit with the "
            "learners' own options"
        )

    def _split(self, mode: int, feature: int, value: float, missing_is_left: bool) -> int:
        self.modes.append(mode)
        self.features.append(feature)
        self.splits.append(value)
        self.missing_is_left.append(int(missing_is_left))
        for side in (LEFT, RIGHT):
            self.branches[side].append(0)
            self.ends[side].append(0)
        return len(self.modes) - 1

    def _end(self, parent: int, side: int, leaf: Mapping[str, Json], output: int) -> None:
        self.branches[side][parent], self.ends[side][parent] = len(self.leaves), 1
        self.leaves.append(leaf["leaf_value"])
        self.outputs.append(output)

    def node(self, outputs: int, name: str) -> NodeProto:
        """The operator, from `INPUT` to `name`."""
        from onnx import helper, numpy_helper

        def tensor(values: list[float]) -> Any:
            return numpy_helper.from_array(np.array(values, np.float64))

        attributes: dict[str, Any] = {
            "aggregate_function": 1,  # the sum
            "n_targets": outputs,
            "tree_roots": self.roots,
            "nodes_modes": numpy_helper.from_array(np.array(self.modes, np.uint8)),
            "nodes_featureids": self.features,
            "nodes_splits": tensor(self.splits),
            "nodes_missing_value_tracks_true": self.missing_is_left,
            "nodes_truenodeids": self.branches[LEFT],
            "nodes_trueleafs": self.ends[LEFT],
            "nodes_falsenodeids": self.branches[RIGHT],
            "nodes_falseleafs": self.ends[RIGHT],
            "leaf_weights": tensor(self.leaves),
            "leaf_targetids": self.outputs,
        }
        if self.members:
            attributes["membership_values"] = tensor(self.members)
        return helper.make_node("TreeEnsemble", [INPUT], [name], domain="ai.onnx.ml", **attributes)


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
        If a booster has splits that ONNX does not know (zeros taken as missing).
    """
    from onnx import TensorProto, helper, numpy_helper

    dumps = [booster.dump_model() for booster in boosters]
    outputs, width = dumps[0]["num_tree_per_iteration"], dumps[0]["max_feature_idx"] + 1
    nodes, total = [], ""
    for i, dump in enumerate(dumps):
        trees = _Trees()
        for info in dump["tree_info"]:
            trees.grow(info["tree_structure"], info["tree_index"] % outputs)
        nodes.append(trees.node(outputs, f"trees {i}"))
        nodes.append(helper.make_node("Div", [f"trees {i}", "rounds"], [f"booster {i}"]))
        if i:
            nodes.append(helper.make_node("Add", [total, f"booster {i}"], [f"total {i}"]))
        total = f"total {i}" if i else "booster 0"
    nodes.append(helper.make_node("Div", [total, "count"], [OUTPUT]))
    rounds = len(dumps[0]["tree_info"]) // outputs if dumps[0].get("average_output") else 1
    numbers = {"rounds": float(max(rounds, 1)), "count": float(len(dumps))}
    graph = helper.make_graph(
        nodes,
        "boosters",
        [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, [None, outputs])],
        [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="plait")
    return np.frombuffer(model.SerializeToString(deterministic=True), np.uint8)
