"""How a service runs: what it serves, where it listens, who may ask, and how much."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from plait.errors import ConfigError

__all__ = ["Listening", "Settings"]

LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Listening:
    """Where the service listens.

    Parameters
    ----------
    host, port
        Address and TCP port; port 0 is any that is free.
    workers
        Processes, each with the models in memory. Each takes its share of a key's rate.
    drain_s
        Seconds for which a service that was told to end still answers, while ``/readyz`` says no, so that balancers go
        elsewhere.
    certificate, key
        Files in PEM for TLS; both or neither.

    Raises
    ------
    ConfigError
        If a number is out of range, or only one of the files is named.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    drain_s: float = 1.0
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is out of range (allowed: 0..65535)")
        if self.workers < 1:
            raise ConfigError(f"workers {self.workers} is out of range (allowed: 1 or more)")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("TLS needs both files: a certificate and its key; name the other one, too")

    @property
    def local(self) -> bool:
        """Whether only this machine can connect."""
        if self.host in LOCAL:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class Settings:
    """How a service runs.

    Parameters
    ----------
    shelf
        A saved model, or a shelf file (YAML) that names several.
    keys
        The store of API keys (a path or URL); None: everyone on this machine may ask, and nobody else.
    audit
        The store of the audit; None: decisions are not recorded.
    signer
        The key that signs checkpoints of the audit (`plait audit signer`); None: none is signed.
    timeout_s
        Seconds that a request may take once its body is here.
    body_s
        Seconds in which a body must have come.
    max_bytes, max_rows
        What a request may hold at most; a key may have less.
    batch_rows
        Rows that are scored together at most.
    batch_ms
        Milliseconds for which rows that queue wait for more of them (0: not at all). A request that finds the model
        idle never waits.
    queue_rows
        Rows that may wait for a model.
    listening
        Where the service listens.

    Raises
    ------
    ConfigError
        If a number is out of range, or a service without keys would listen to other machines.
    """

    shelf: str | Path
    keys: str | None = None
    audit: str | None = None
    signer: Path | None = None
    timeout_s: float = 10.0
    body_s: float = 15.0
    max_bytes: int = 8 << 20
    max_rows: int = 10_000
    batch_rows: int = 512
    batch_ms: float = 2.0
    queue_rows: int = 20_000
    listening: Listening = Listening()

    def __post_init__(self) -> None:
        for name, least in (("timeout_s", 0.01), ("body_s", 0.01), ("batch_ms", 0.0)):
            value = getattr(self, name)
            if not least <= value <= 3600:
                raise ConfigError(f"{name} {value:g} is out of range (allowed: {least:g}..3600)")
        for name in ("max_bytes", "max_rows", "batch_rows", "queue_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)} is out of range (allowed: 1 or more)")
        if self.queue_rows < self.max_rows:
            raise ConfigError(f"queue_rows {self.queue_rows} is less than max_rows {self.max_rows}; a request must fit")
        if self.keys is None and not self.listening.local:
            raise ConfigError(
                f"without keys the service is open to whoever can connect, so it listens on this machine only, not on "
                f"{self.listening.host}; make keys (plait keys create) and name their store with --keys"
            )
