"""Work on a Ray cluster: fits that several processes share, predictions of many rows, and trials.

Ray is optional (``pip install 'plait[scale]'``). Code and data have to be where every worker of the cluster finds them.
"""

from plait.cluster.batches import predict
from plait.cluster.fits import fit, together
from plait.cluster.session import session
from plait.cluster.tasks import Tasks

__all__ = ["Tasks", "fit", "predict", "session", "together"]
