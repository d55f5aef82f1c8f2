"""Closed segments: what leaves the store is in an archive, signed for, and verified with what stays."""

from __future__ import annotations

import gzip
import json
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plait.errors import ConfigError, DataError
from plait.serving.audit import Audit, Entry, Signer, public_key, verify


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.new(tmp_path / "signer")


def some(audit: Audit, name: str, count: int = 4) -> datetime:
    audit.append([Entry("predict", {"decision": f"{name}.{i}", "output": i}) for i in range(count)]).result(10)
    now = datetime.now(UTC)
    time.sleep(0.002)
    return now


def test_segments_are_archived_one_after_the_other(tmp_path: Path, signer: Signer) -> None:
    store, key = tmp_path / "audit.db", public_key(tmp_path / "signer.pub")
    first, second = tmp_path / "1.jsonl.gz", tmp_path / "2.jsonl.gz"
    with Audit.open(store) as audit:
        early, later = some(audit, "a"), some(audit, "b")
        some(audit, "c")
        closed = audit.close_segment(before=early, signer=signer, archive=first)
        assert (closed.seq, closed.rows) == (4, 4)
        assert audit.find("a.0") is None
        assert audit.find("b.0") is not None
        assert verify(store, key).first == 5
        audit.redact(decision="b.1", fields=["output"], why="a", by="b")
        closed = audit.close_segment(before=later, signer=signer, archive=second)
        assert (closed.seq, closed.rows) == (8, 4)
        some(audit, "d")
    alone, whole = verify(store, key), verify(store, key, archives=[first, second])
    assert alone.sound
    assert whole.sound, str(whole)
    assert (alone.first, whole.first, whole.entries, whole.redacted) == (9, 1, whole.last, 1)
    assert alone.signed == whole.signed == 8
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in gzip.decompress(first.read_bytes()).splitlines()]
    assert [line["seq"] for line in lines[1:]] == [1, 2, 3, 4]
    assert "are missing" in str(verify(store, key, archives=[first]))
    assert verify(store, key, archives=[second]).sound


def test_a_changed_archive_is_found(tmp_path: Path, signer: Signer) -> None:
    store, archive = tmp_path / "audit.db", tmp_path / "1.jsonl.gz"
    with Audit.open(store) as audit:
        audit.close_segment(before=some(audit, "a"), signer=signer, archive=archive)
    content = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(content))  # the same rows in another file
    assert "with another archive" in str(verify(store, archives=[archive]))
    archive.write_bytes(gzip.compress(content.replace(b'"a.2"', b'"b.2"')))
    assert "row 3" in str(verify(store, archives=[archive]))
    archive.write_bytes(gzip.compress(content)[:-20])
    assert "damaged" in str(verify(store, archives=[archive]))
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match="is no archive of an audit"):
        verify(store, archives=[archive])


def test_nothing_is_deleted_that_was_not_archived(tmp_path: Path, signer: Signer) -> None:
    store, archive = tmp_path / "audit.db", tmp_path / "1.jsonl.gz"
    with Audit.open(store) as audit:
        until = some(audit, "a")
        archive.touch()
        with pytest.raises(ConfigError, match="is there already"):
            audit.close_segment(before=until, signer=signer, archive=archive)
        for options in ({}, {"archive": tmp_path / "2.gz", "discard": True}):
            with pytest.raises(ConfigError, match="not both"):
                audit.close_segment(before=until, signer=signer, **options)
        with pytest.raises(DataError, match="is no folder"):
            audit.close_segment(before=until, signer=signer, archive=tmp_path / "nowhere" / "1.gz")
        with pytest.raises(ConfigError, match="no entry is older"):
            audit.close_segment(before=datetime(2020, 1, 1), signer=signer, discard=True)
        assert len(list(audit.entries())) == 4
        audit.close_segment(before=until, signer=signer, discard=True)
        assert [entry.kind for entry in audit.entries()] == ["checkpoint"]
    assert verify(store).sound


def test_checkpoints_are_signed_as_the_log_grows(tmp_path: Path, signer: Signer) -> None:
    store, key = tmp_path / "audit.db", public_key(tmp_path / "signer.pub")
    with Audit.open(store, signer=signer, every=5) as audit:
        for name in "abc":
            some(audit, name)
        assert verify(store, key).signed == 8
    verdict = verify(store, key)
    assert (verdict.checkpoints, verdict.signed, verdict.last) == (2, 13, 14)
    assert verify(store).signed is None


def test_keys_of_signers_are_their_owners_alone(tmp_path: Path, signer: Signer) -> None:
    path = tmp_path / "signer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer.load(path).sign({"a": 1}) == signer.sign({"a": 1})
    with pytest.raises(ConfigError, match="name a new file"):
        Signer.new(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        Signer.load(path)
    for read, name in ((Signer.load, "nowhere"), (public_key, "nowhere"), (public_key, "signer")):
        with pytest.raises(ConfigError):
            read(tmp_path / name)
    (tmp_path / "other").write_text("no key")
    (tmp_path / "other").chmod(0o600)
    with pytest.raises(ConfigError, match="no private Ed25519 key"):
        Signer.load(tmp_path / "other")
