"""A service asked from a program: `Client`, what it answers, typed, and how it tries again.

It needs `httpx` (``pip install 'plait[serve]'``), and neither torch nor pandas until a frame is asked for.
"""

from plait.client.answers import Answer, Explained, Feedback, Predicted, Served, Shape, Unread
from plait.client.asking import Client

__all__ = ["Answer", "Client", "Explained", "Feedback", "Predicted", "Served", "Shape", "Unread"]
