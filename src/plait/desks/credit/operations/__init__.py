"""What the credit desk does: one file an operation, a request that faces can ask for, and what answers it."""

from plait.contracts import Operation
from plait.desks.credit.operations import fit, loss, migrate, monitor, score, stage, vintage, watch

__all__ = ["OPERATIONS"]

OPERATIONS: tuple[Operation, ...] = (
    fit.OPERATION,
    score.OPERATION,
    loss.OPERATION,
    migrate.OPERATION,
    stage.OPERATION,
    monitor.OPERATION,
    watch.OPERATION,
    vintage.OPERATION,
)
