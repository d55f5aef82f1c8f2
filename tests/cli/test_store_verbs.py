"""``plait keys`` and ``plait audit``: what they say, and how they leave."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plait.cli.stores import installed
from plait.errors import MissingExtraError
from plait.serving.audit import Audit, Entry
from plait.serving.keys import Keys

Run = Callable[..., Any]


@pytest.fixture
def store(folder: Path) -> Path:
    """A key, and two decisions."""
    path = folder / "store.db"
    with Audit.open(path) as audit:
        for i in range(2):
            fields = {"decision": f"r.{i}", "subject": f"person {i}", "output": {"label": i}}
            audit.append([Entry("predict", fields)]).result(10)
    return path


def test_a_key_from_its_making_to_its_end(run: Run, folder: Path) -> None:
    made = run(
        "keys", "create", "scoring", "--scope", "predict,explain", "--rate", 5, "--expires", "2999-01-31",
        "--store", "new.db", "--json",
    )  # fmt: skip
    assert made.code == 0
    id, token = made.json["id"], made.json["token"]
    keys = Keys.open(folder / "new.db")
    assert keys.check(token) is not None
    assert made.json["scopes"] == ["explain", "predict"]
    assert "only time" in made.err
    listed = run("keys", "list", "--store", "new.db")
    assert id in listed.out
    assert "2999-01-31" in listed.out
    assert "valid" in listed.out
    rotated = run("keys", "rotate", id, "--overlap", 60, "--store", "new.db")
    assert rotated.out.strip() != token
    assert rotated.out.startswith(f"plait_{id}_")
    assert run("keys", "revoke", id, "--store", "new.db").code == 0
    assert "revoked" in run("keys", "list", "--store", "new.db").out


def test_a_missing_library_is_named_with_the_extra() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"no_such_library is not installed; pip install 'plait\[serve\]'"),
        installed(),
    ):
        __import__("no_such_library")


def test_the_store_may_come_from_the_environment(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_STORE", str(store))
    assert run("audit", "verify").code == 0


def test_a_sound_audit_is_verified_and_a_changed_one_refused(run: Run, store: Path) -> None:
    assert run("audit", "verify", "--store", store, "--json", "--head", "seen.json").json["sound"]
    connection = sqlite3.connect(store)
    connection.execute("UPDATE plait_audit SET fields = replace(fields, '\"label\":1', '\"label\":0')")
    connection.commit()
    connection.close()
    found = run("audit", "verify", "--store", store, "--head", "seen.json")
    assert found.code == 3
    assert "field output does not match its digest" in found.out
    assert "refused: the audit has 1 flaw, the first: row 2 (" in found.err
    assert run("audit", "verify", "--store", store, "--json").json["wrong"] == 1


def test_entries_are_shown_and_redacted(run: Run, store: Path) -> None:
    assert "person 1" in run("audit", "show", "--store", store, "--decision", "r.1").out
    some = run("audit", "show", "--store", store, "--limit", 1, "--json")
    assert len(some.json) == 1
    assert "--after 1" in some.err
    options = ("--subject", "person 1", "--fields", "output,subject", "--why", "asked", "--by", "anna")
    assert run("audit", "redact", "--store", store, *options, "--json").json == {"rows": 1, "fields": 2, "gone": True}
    shown = run("audit", "show", "--store", store, "--decision", "r.1").out
    assert "(redacted)" in shown
    assert "person 1" not in shown
    assert run("audit", "verify", "--store", store).code == 0


def test_a_segment_is_closed_and_verified(run: Run, store: Path) -> None:
    assert run("audit", "signer", "--new", "signer").code == 0
    closing = ("audit", "close", "--store", store, "--signer", "signer")
    assert run(*closing, "--days", 0, "--archive", "old.jsonl.gz", "--json").json["rows"] == 2
    found = run("audit", "verify", "--store", store, "--public", "signer.pub", "--archive", "old.jsonl.gz", "--json")
    assert (found.json["entries"], found.json["signed"]) == (3, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "list", "--store", "nowhere.db"], "there is no store"),
        (["keys", "revoke", "plait_0123_4567", "--store", "store.db"], "this is a token"),
        (["keys", "create", "x", "--scope", "predit", "--store", "store.db"], "did you mean 'predict'"),
        (["keys", "create", "x", "--scope", "predict", "--expires", "soon", "--store", "store.db"], "is no date"),
        (["audit", "close", "--store", "store.db", "--signer", "s", "--discard"], "--before DATE or --days N"),
        (["audit", "close", "--store", "store.db", "--signer", "s", "--days", "1"], "cannot read the key"),
        (["audit", "redact", "--store", "store.db", "--fields", "output", "--why", "x"], "say whose entries"),
        (["audit", "verify", "--store", "store.db", "--public", "nowhere"], "cannot read the key"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(run: Run, store: Path, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "4567" not in done.err
    assert done.err.startswith("plait: error: ")
    assert done.err.count("\n") == 1
