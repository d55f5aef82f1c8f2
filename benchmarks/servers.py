"""Servers of their own for a measurement or a test: PostgreSQL and Redis in a folder that goes with them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from plait.errors import ConfigError

__all__ = ["PostgreSQL", "Redis", "free_port"]

WAIT_S = 30.0


class Server:
    """A process on a free port of this machine; a context manager.

    Parameters
    ----------
    folder
        A new one where it keeps what it keeps; deleted at the end.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="plait-server-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """What starts it."""
        raise TypeError(f"{type(self).__name__} is no server by itself")

    def answers(self) -> bool:
        """Whether it serves."""
        with socket.socket() as door:
            door.settimeout(1)
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        end = time.monotonic() + WAIT_S
        while self._process is None or not self.answers():
            if self._process is None or self._process.poll() is not None:  # who was killed may have left a lock behind
                with (self.folder / "log").open("ab") as log:
                    told: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": self.folder}
                    self._process = subprocess.Popen(self.command(), **told, **self.identity())
            if time.monotonic() > end:
                said = (self.folder / "log").read_text(errors="replace").splitlines()[-1:]
                self.kill()
                raise ConfigError(f"{type(self).__name__} does not answer: {' '.join(said)}")
            time.sleep(0.05)

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End it, at once or as `by` asks, and wait until it has gone."""
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(WAIT_S)
            self._process = None

    def identity(self) -> dict[str, Any]:
        """As whom it runs, for `subprocess.Popen`."""
        return {}

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Server):
    """The newest PostgreSQL there is on this machine, as it is set up by default, under a user that may not do much.

    Raises
    ------
    ConfigError
        If there is none, or it cannot run here.
    """

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        which = str(found[-1]) if found else shutil.which("initdb")
        if which is None:
            raise ConfigError("there is no PostgreSQL server on this machine; apt-get install postgresql")
        super().__init__()
        self._bin = Path(which).parent
        if identity := self.identity():
            os.chown(self.folder, identity["user"], identity["group"])
        told = [str(self._bin / "initdb"), "-D", str(self.folder / "data"), "-A", "trust", "-U", "plait", "--no-sync"]
        made = subprocess.run(told, capture_output=True, text=True, check=False, cwd=self.folder, **identity)
        if made.returncode:
            raise ConfigError(f"initdb refuses: {' '.join(made.stderr.split())}")

    @property
    def url(self) -> str:
        """What `plait.serving.store.open_store` takes."""
        return f"postgresql://plait@127.0.0.1:{self.port}/postgres"

    def identity(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {}
        known = [each for each in pwd.getpwall() if each.pw_name in ("postgres", "nobody")]
        if not known:
            raise ConfigError("PostgreSQL does not run as root, and there is no user postgres or nobody")
        other = max(known, key=lambda each: each.pw_name)
        return {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}

    def command(self) -> Sequence[str]:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.folder / "data"), *settings]

    def answers(self) -> bool:
        asked = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0


class Redis(Server):
    """A redis-server that appends every command to a file and syncs it once a second.

    Raises
    ------
    ConfigError
        If there is none.
    """

    def __init__(self) -> None:
        which = shutil.which("redis-server")
        if which is None:
            raise ConfigError("there is no redis-server on this machine; apt-get install redis-server")
        super().__init__()
        self._which = which

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        return [self._which, "--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", "."]


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
