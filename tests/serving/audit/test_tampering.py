"""Any change of what an audit keeps is found, also after redactions and closed segments, and clean audits are sound."""

from __future__ import annotations

import shutil
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.serving.audit import Audit, Entry, Signer, public_key, verify
from plait.serving.audit.entry import digest_of, link_of

COLUMNS = ("time", "kind", "fields", "link", "decision", "request", "subject")


class Made(NamedTuple):
    """A clean audit in a file: redacted in part, its first rows closed."""

    store: Path
    archive: Path
    signer: Path
    rows: tuple[tuple[object, ...], ...]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("chain")
    signer = Signer.new(folder / "signer")
    store, archive = folder / "audit.db", folder / "first.jsonl.gz"

    def some(audit: Audit, first: int) -> None:
        for i in range(first, first + 6):
            fields = {"decision": f"r{i}.0", "request": f"r{i}", "subject": f"s{i % 2}", "output": {"p": i / 7}}
            audit.append([Entry("predict", fields)]).result(10)

    with Audit.open(store, signer=signer) as audit:
        some(audit, 0)
        audit.redact(decision="r1.0", fields=["output"], why="asked for", by="test")
        cut = datetime.now(UTC)
        time.sleep(0.002)
        audit.redact(decision="r2.0", fields=["output"], why="asked for after the cut", by="test")
        some(audit, 6)
        audit.redact(subject="s1", fields=["output", "subject"], why="asked for", by="test")
        audit.close_segment(before=cut, signer=signer, archive=archive)
        some(audit, 12)
    connection = sqlite3.connect(store)
    rows = tuple(connection.execute("SELECT * FROM plait_audit ORDER BY seq"))
    connection.close()
    return Made(store, archive, folder / "signer", rows)


def sound(store: Path, made: Made) -> bool:
    key = public_key(f"{made.signer}.pub")
    alone = verify(store, key).sound
    assert verify(store, key, archives=[made.archive]).sound == alone
    return alone


def changed(made: Made, tmp_path: Path, *statements: tuple[str, tuple[object, ...]]) -> Path:
    store = tmp_path / "changed.db"
    shutil.copy(made.store, store)
    connection = sqlite3.connect(store)
    for statement, values in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()
    return store


def test_a_clean_audit_is_sound(made: Made) -> None:
    key = public_key(f"{made.signer}.pub")
    alone, whole = verify(made.store, key), verify(made.store, key, archives=[made.archive])
    assert alone.sound
    assert whole.sound, str(whole)
    assert (alone.first, whole.first) == (8, 1)
    assert whole.entries == whole.last == alone.last == 7 + alone.entries
    assert alone.signed == alone.last - 1  # the checkpoint at the end vouches for all before it
    assert str(whole).endswith("sound")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_character_anywhere_is_found(made: Made, tmp_path: Path, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(made.rows))
    names = ("seq", "time", "kind", "fields", "link", "decision", "request", "subject")
    column = data.draw(st.sampled_from([name for name in COLUMNS if row[names.index(name)] is not None]))
    text = str(row[names.index(column)])
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", min_codepoint=32).filter(lambda c: c != text[at]))
    how = data.draw(st.sampled_from([text[:at] + other + text[at + 1 :], text[:at] + other + text[at:]]))
    how = data.draw(st.sampled_from([how, text[:at] + text[at + 1 :]]))
    store = changed(made, tmp_path, (f"UPDATE plait_audit SET {column} = ? WHERE seq = ?", (how, row[0])))
    assert not sound(store, made)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_rows_that_move_vanish_or_appear_are_found(made: Made, tmp_path: Path, data: st.DataObject) -> None:
    numbers = [row[0] for row in made.rows]
    first = data.draw(st.sampled_from(numbers))
    second = data.draw(st.sampled_from([number for number in numbers if number != first]))
    last = max(int(str(number)) for number in numbers)
    ways: dict[str, list[tuple[str, tuple[object, ...]]]] = {
        "deleted": [("DELETE FROM plait_audit WHERE seq = ?", (first,))],
        "cut": [("DELETE FROM plait_audit WHERE seq >= ?", (first,))],
        "beheaded": [("DELETE FROM plait_audit WHERE seq <= ?", (first,))],
        "swapped": [
            ("UPDATE plait_audit SET seq = -1 WHERE seq = ?", (first,)),
            ("UPDATE plait_audit SET seq = ? WHERE seq = ?", (first, second)),
            ("UPDATE plait_audit SET seq = ? WHERE seq = -1", (second,)),
        ],
        "copied": [
            ("CREATE TABLE one AS SELECT * FROM plait_audit WHERE seq = ?", (first,)),
            ("UPDATE one SET seq = ?", (last + 1,)),
            ("INSERT INTO plait_audit SELECT * FROM one", ()),
        ],
        "copied before all": [
            ("CREATE TABLE one AS SELECT * FROM plait_audit WHERE seq = ?", (first,)),
            ("UPDATE one SET seq = ?", (min(int(str(n)) for n in numbers) - 1,)),
            ("INSERT INTO plait_audit SELECT * FROM one", ()),
        ],
    }
    way = data.draw(st.sampled_from(sorted(ways)))
    assert not sound(changed(made, tmp_path, *ways[way]), made)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_forger_who_reckons_digests_and_links_is_found_by_what_follows(
    made: Made, tmp_path: Path, data: st.DataObject
) -> None:
    import json

    row = data.draw(st.sampled_from([row for row in made.rows if row[2] == "predict"]))
    before = next((str(other[4]) for other in made.rows if other[0] == int(str(row[0])) - 1), None)
    body = json.loads(str(row[3]))
    salt, value = "ab" * 16, json.dumps(data.draw(st.integers(1_000, 2_000)))
    body["output"] = [digest_of(bytes.fromhex(salt), "output", value), salt, json.loads(value)]
    fields = json.dumps(body, separators=(",", ":"), sort_keys=True)
    links = [(name, kept[0]) for name, kept in sorted(body.items())]
    link = str(row[4]) if before is None else link_of(before, int(str(row[0])), str(row[1]), str(row[2]), links)
    statement = "UPDATE plait_audit SET fields = ?, link = ? WHERE seq = ?"
    assert not sound(changed(made, tmp_path, (statement, (fields, link, row[0]))), made)


def test_what_is_wrong_is_said_in_a_line(made: Made, tmp_path: Path) -> None:
    row = next(row for row in made.rows if row[5] == "r12.0")
    statement = "UPDATE plait_audit SET fields = replace(fields, '\"p\":1.7', '\"p\":0.7') WHERE seq = ?"
    verdict = verify(changed(made, tmp_path, (statement, (row[0],))))
    assert verdict.wrong == 1
    expected = f"row {row[0]} ({row[1]}, kind predict) was changed: field output does not match its digest"
    assert str(verdict.flaws[0]) == expected
    assert verdict.refusal == f"the audit has 1 flaw, the first: {expected}"
    assert "0.7" not in str(verdict.to_json())


def test_a_value_that_was_only_deleted_is_found(made: Made, tmp_path: Path) -> None:
    import json

    row = next(row for row in made.rows if row[5] == "r12.0")
    body = json.loads(str(row[3]))
    body["output"] = body["output"][:1]
    fields = json.dumps(body, separators=(",", ":"), sort_keys=True)
    verdict = verify(changed(made, tmp_path, ("UPDATE plait_audit SET fields = ? WHERE seq = ?", (fields, row[0]))))
    assert "lost the values of output, and no redaction accounts for that" in str(verdict.flaws[0])


def test_a_rewritten_end_is_found_by_an_earlier_look(made: Made, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    assert verify(made.store, seen=seen).sound
    last, before = made.rows[-1], made.rows[-2]
    cut = changed(
        made,
        tmp_path,
        ("DELETE FROM plait_audit WHERE seq = ?", (last[0],)),
        ("UPDATE plait_audit_head SET seq = ?, time = ?, link = ?", (before[0], before[1], before[4])),
    )
    assert verify(cut).sound  # the chain alone cannot tell
    kept = seen.read_text()
    assert "its end was cut" in str(verify(cut, seen=seen))
    assert seen.read_text() == kept
    with Audit.open(cut) as audit:
        audit.append([Entry("predict", {"output": 1})]).result(10)
    assert "another link than when it was seen before" in str(verify(cut, seen=seen))


@pytest.mark.parametrize("how", ["DELETE FROM plait_audit_head", "UPDATE plait_audit_head SET seq = seq + 1"])
def test_the_end_that_the_store_says_is_checked(made: Made, tmp_path: Path, how: str) -> None:
    assert not verify(changed(made, tmp_path, (how, ()))).sound


@pytest.mark.parametrize("column", ["time", "kind", "fields", "link", "decision"])
def test_what_is_no_text_is_found_and_shown_harmlessly(made: Made, tmp_path: Path, column: str) -> None:
    seq = made.rows[3][0]
    for value in (b"\x1b[2J", 7, "\x1b[2J", ""):
        store = changed(made, tmp_path, (f"UPDATE plait_audit SET {column} = ? WHERE seq = ?", (value, seq)))
        verdict = verify(store)
        assert not verdict.sound
        assert "\x1b" not in str(verdict)


def test_a_signature_of_another_key_is_found(made: Made, tmp_path: Path) -> None:
    Signer.new(tmp_path / "other")
    assert "did not sign" in str(verify(made.store, public_key(tmp_path / "other.pub")))
