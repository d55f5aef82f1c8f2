"""Streams: events scored as they come, each with exactly one outcome, with windows that survive a crash."""

from plait.serving.stream.addresses import Address
from plait.serving.stream.events import Reading
from plait.serving.stream.worker import Doors, Rules, Tally, Worker

__all__ = ["Address", "Doors", "Reading", "Rules", "Tally", "Worker"]
