"""Event histories: payments, clicks, calls, logins; each row has a timed list of records with mixed columns."""

from plait.modalities.events.room import Events

__all__ = ["Events"]
