"""Made data from documented simulators: what the demo, the tests and the guides run on. Nothing here is real."""

from plait.data.samples.histories import payments, payments_oracle, payments_side
from plait.data.samples.loans import loans, loans_oracle
from plait.data.samples.meshes import meshes
from plait.data.samples.mixed import mixed

__all__ = ["loans", "loans_oracle", "meshes", "mixed", "payments", "payments_oracle", "payments_side"]
