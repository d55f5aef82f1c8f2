"""The audit: every decision in a chain of salted digests, so that a changed one is found and a personal one can go."""

from __future__ import annotations

from plait.serving.audit.chain import Stored
from plait.serving.audit.entry import Entry
from plait.serving.audit.log import Audit
from plait.serving.audit.signing import Signer, public_key
from plait.serving.audit.verify import Verdict, verify
from plait.serving.audit.writer import FullError

__all__ = ["Audit", "Entry", "FullError", "Signer", "Stored", "Verdict", "public_key", "verify"]
