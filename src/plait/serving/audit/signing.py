"""Signed checkpoints (Ed25519, RFC 8032): what the chain was at a number, said by who holds the key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from plait.contracts import Json
from plait.errors import ConfigError
from plait.serving.audit.chain import Head
from plait.serving.audit.entry import Entry, canonical

__all__ = ["Signer", "checkpoint", "genuine", "public_key"]

SIGNED = ("seq", "link", "rows", "archive")


class Signer:
    """Holds the private key; keep it where the store is not, or who can rewrite the one can sign the other.

    Parameters
    ----------
    key
        As `Signer.new` or `Signer.load` give it.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls, path: str | os.PathLike[str]) -> Signer:
        """Make a key and write it to a file that its owner alone can read; the public one goes beside it (``.pub``).

        Raises
        ------
        ConfigError
            If the file is there already, or cannot be written.
        """
        key = Ed25519PrivateKey.generate()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for name, mode, content in ((Path(path), 0o600, secret), (Path(f"{os.fspath(path)}.pub"), 0o644, public)):
            try:
                with open(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
                    file.write(content)
            except OSError as error:
                raise ConfigError(f"cannot write the key {str(name)!r} ({error.strerror}); name a new file") from None
        return cls(key)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Signer:
        """Read a private key.

        Raises
        ------
        ConfigError
            If it is no such key, or others than its owner can read it.
        """
        content = _read(path)
        if os.name == "posix" and Path(path).stat().st_mode & 0o077:
            raise ConfigError(f"the key {os.fspath(path)!r} can be read by others than its owner; chmod 600 it")
        try:
            key = load_pem_private_key(content, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{os.fspath(path)!r} holds no private Ed25519 key; plait audit signer --new makes one")
        return cls(key)

    @property
    def public(self) -> Ed25519PublicKey:
        """The key that checks what this one signs."""
        return self._key.public_key()

    def sign(self, told: Mapping[str, Json]) -> str:
        """Hexadecimal signature of the canonical JSON of `told`."""
        return self._key.sign(canonical(told).encode()).hex()


def public_key(path: str | os.PathLike[str]) -> Ed25519PublicKey:
    """Read a public key.

    Raises
    ------
    ConfigError
        If it is none.
    """
    content = _read(path)
    try:
        key = load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{os.fspath(path)!r} holds no public Ed25519 key; it is the .pub beside the signer's file")
    return key


def checkpoint(signer: Signer, last: Head, rows: int = 0, archive: str | None = None) -> Entry:
    """An entry that says, signed, what the chain was.

    Parameters
    ----------
    last
        The end of the chain just now, or of a segment that is closed.
    rows
        How many entries are closed.
    archive
        SHA-256 of the file that they went to; None: to none.
    """
    told: dict[str, Json] = {"seq": last.seq, "link": last.link, "rows": rows, "archive": archive}
    return Entry("checkpoint", {**told, "signature": signer.sign(told)})


def genuine(fields: Mapping[str, Json], key: Ed25519PublicKey) -> bool:
    """Whether the holder of the key signed this checkpoint."""
    try:
        key.verify(bytes.fromhex(fields["signature"]), canonical({name: fields[name] for name in SIGNED}).encode())
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the key {os.fspath(path)!r} ({error.strerror}); name its file") from None
