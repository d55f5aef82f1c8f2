"""What the credit desk does: one file an operation, a request that faces can ask for, and what answers it."""

from plait.contracts import Operation
from plait.desks.credit.operations import (
    company,
    decide,
    export,
    fair,
    fit,
    grade,
    lift,
    loss,
    migrate,
    mitigate,
    monitor,
    policy,
    reasons,
    score,
    scorecard,
    stage,
    swap,
    validate,
    vintage,
    watch,
)

__all__ = ["OPERATIONS"]

OPERATIONS: tuple[Operation, ...] = (
    fit.OPERATION,
    score.OPERATION,
    lift.OPERATION,
    scorecard.OPERATION,
    export.OPERATION,
    loss.OPERATION,
    migrate.OPERATION,
    stage.OPERATION,
    policy.OPERATION,
    decide.OPERATION,
    swap.OPERATION,
    fair.OPERATION,
    mitigate.OPERATION,
    validate.OPERATION,
    grade.OPERATION,
    monitor.OPERATION,
    watch.OPERATION,
    vintage.OPERATION,
    reasons.OPERATION,
    company.OPERATION,
)
