"""Redactions: the values leave the files, the chain holds, and the audit says who took what, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from plait.errors import ConfigError
from plait.serving.audit import Audit, Entry, redaction, verify

PERSON, OUTPUT = "Hermine Wolkenstein", "a sentence about her debts"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Forty decisions, every fourth about one person; long enough for pages of their own."""
    store = tmp_path / "audit.db"
    with Audit.open(store) as audit:
        for i in range(40):
            her = i % 4 == 0
            fields = {
                "decision": f"r{i}.0",
                "request": f"r{i // 2}",
                "subject": PERSON if her else f"subject {i}",
                "output": {"label": i % 2, "said": (OUTPUT if her else "nothing ") * 300},
            }
            audit.append([Entry("predict", fields)]).result(10)
    return store


def held(store: Path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in store.parent.iterdir())


def test_redacted_values_are_in_no_file_of_the_store(path: Path) -> None:
    assert held(path, PERSON)
    assert held(path, OUTPUT)
    with Audit.open(path) as audit:
        done = audit.redact(subject=PERSON, fields=["output", "subject"], why="she asked", by="key 0123")
        assert (done.rows, done.fields, done.gone) == (10, 20, True)
        assert not held(path, PERSON)
        assert not held(path, OUTPUT)
        assert list(audit.entries(subject=PERSON)) == []
        kept = audit.find("r0.0")
        assert kept is not None
        assert kept.redacted == ("output", "subject")
        assert kept.fields == {"decision": "r0.0", "request": "r0"}
        (told,) = audit.entries(kind="redaction")
        assert told.fields["why"] == "she asked"
        assert told.fields["by"] == "key 0123"
        assert told.fields["found_by"] == ["subject"]
        assert told.fields["rows"] == {str(4 * i + 1): ["output", "subject"] for i in range(10)}
    verdict = verify(path)
    assert verdict.sound
    assert verdict.redacted == 20


def test_a_second_redaction_takes_what_is_left(path: Path) -> None:
    with Audit.open(path) as audit:
        first = audit.redact(decision="r0.0", fields=["output"], why="a", by="b")
        again = audit.redact(request="r0", fields=["output", "request"], why="a", by="b")
        assert (first.fields, again.rows, again.fields) == (1, 2, 3)
        assert audit.redact(decision="r0.0", fields=["output"], why="a", by="b").rows == 0
        assert audit.redact(decision="r0.0", subject=PERSON, fields=["decision"], why="a", by="b").rows == 1
        assert audit.find("r0.0") is None
    assert verify(path).sound


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "say whose entries"),
        ({"decision": "nowhere"}, "no entry has this decision"),
        ({"decision": "no\0where\ud800"}, "no entry has this decision"),
        ({"decision": "r0.0", "fields": []}, "give all three"),
        ({"decision": "r0.0", "why": " "}, "give all three"),
        ({"decision": "r0.0", "by": ""}, "give all three"),
        ({"decision": "r0.0", "fields": ["outputs"]}, "no field 'outputs' .*decision, output"),
    ],
)
def test_a_redaction_that_says_too_little_does_nothing(path: Path, options: dict[str, object], said: str) -> None:
    with Audit.open(path) as audit:
        with pytest.raises(ConfigError, match=said) as caught:
            audit.redact(**{"fields": ["output"], "why": "a", "by": "b", **options})  # type: ignore[arg-type]
        assert "nowhere" not in str(caught.value)
        assert list(audit.entries(kind="redaction")) == []
    assert verify(path).redacted == 0


def test_many_rows_are_redacted_by_several_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "TOLD", 100)
    store = tmp_path / "many.db"
    with Audit.open(store) as audit:
        audit.append([Entry("predict", {"subject": "s", "output": i}) for i in range(250)]).result(20)
        assert audit.redact(subject="s", fields=["subject"], why="a", by="b").rows == 250
        assert len(list(audit.entries(kind="redaction"))) == 3
    assert verify(store).sound
