"""What the credit desk does: one file an operation, a request that faces can ask for, and what answers it."""

from plait.contracts import Operation

__all__ = ["OPERATIONS"]

OPERATIONS: tuple[Operation, ...] = ()
