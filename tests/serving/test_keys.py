"""API keys: what opens a door, what does not, and since when."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plait.errors import ConfigError
from plait.serving.audit import Audit, verify
from plait.serving.keys import Key, Keys, check_scopes
from plait.serving.store import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def keys(store: Path) -> Keys:
    return Keys.open(store)


def opened(keys: Keys, token: str) -> Key:
    key = keys.check(token)
    assert key is not None
    return key


def test_a_token_opens_what_its_scopes_say(keys: Keys) -> None:
    key, token = keys.create("scoring", ["predict", "desk:credit"], rate=5, max_rows=10)
    assert opened(keys, token).id == key.id
    assert (key.burst, key.max_rows, key.max_bytes, key.used) == (5, 10, None, None)
    assert keys[key.id].used == datetime.now(UTC).date().isoformat()
    for scope, allowed in {
        "predict": True,
        "desk:credit": True,
        "desk:credit.decide": True,
        "explain": False,
        "desk:fraud.score": False,
        "desk:creditor.decide": False,
    }.items():
        assert key.may(scope) == allowed
    assert keys.create("all", ["*"])[0].may("desk:credit.decide")
    assert not keys.create("one", ["desk:credit.decide"])[0].may("desk:credit.score")


@pytest.mark.parametrize("wrong", ["", "plait_", "plait_0123456789ab_" + "0" * 64, "Bearer x", "plait_é_ü", "\ud800"])
def test_what_is_no_token_opens_nothing(keys: Keys, wrong: str) -> None:
    keys.create("scoring", ["predict"])
    assert keys.check(wrong) is None


def test_a_wrong_secret_opens_nothing(keys: Keys) -> None:
    _, token = keys.create("scoring", ["predict"])
    other = keys.create("other", ["predict"])[1]
    assert keys.check(token[:-1] + ("1" if token[-1] == "0" else "0")) is None
    assert keys.check(token.rpartition("_")[0] + "_" + other.rpartition("_")[2]) is None
    assert keys.check(token.upper()) is None
    assert keys.check(token + "\n") is None


def test_a_revoked_key_stops_at_once_here_and_within_a_second_elsewhere(store: Path, keys: Keys) -> None:
    key, token = keys.create("scoring", ["predict"])
    elsewhere = Keys(open_store(store), fresh_s=0.2)
    assert opened(keys, token).id == opened(elsewhere, token).id
    assert keys.revoke(key.id).revoked
    assert keys.check(token) is None
    time.sleep(0.21)
    assert elsewhere.check(token) is None
    assert keys.revoke(key.id).revoked
    with pytest.raises(ConfigError, match="revoked and cannot be rotated"):
        keys.rotate(key.id)


def test_an_answer_of_the_store_is_believed_for_a_while(store: Path, keys: Keys) -> None:
    key, token = keys.create("scoring", ["predict"])
    elsewhere = Keys.open(store)
    assert elsewhere.check(token) is not None
    keys.revoke(key.id)
    assert elsewhere.check(token) is not None


def test_a_key_ends_by_itself(keys: Keys) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    _, token = keys.create("short", ["predict"], expires=soon)
    assert keys.check(token) is not None
    time.sleep(0.31)
    assert keys.check(token) is None
    old, past = keys.create("past", ["predict"], expires=datetime(2020, 1, 1))
    assert keys.check(past) is None
    with pytest.raises(ConfigError, match="has expired and cannot be rotated"):  # its new token would open nothing
        keys.rotate(old.id)


def test_a_rotated_key_has_two_tokens_for_a_while(store: Path) -> None:
    keys = Keys(open_store(store), fresh_s=0)
    key, first = keys.create("scoring", ["predict"])
    second = keys.rotate(key.id, overlap_s=0.3)
    assert opened(keys, first).id == opened(keys, second).id == key.id
    time.sleep(0.31)
    assert keys.check(first) is None
    third = keys.rotate(key.id)
    assert keys.check(second) is None
    assert opened(keys, third).id == key.id


def test_the_store_has_no_secret_and_the_audit_no_token(
    store: Path, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, first = keys.create("scoring", ["predict"])
    second = keys.rotate(key.id)
    keys.check(second)
    keys.revoke(key.id)
    for token in (first, second):
        secret = token.rpartition("_")[2]
        assert all(secret.encode() not in file.read_bytes() for file in store.parent.iterdir())
        assert secret not in caplog.text
    with Audit.open(store) as audit:
        told = [entry.fields for entry in audit.entries(kind="event")]
    assert [fields["event"] for fields in told] == ["key created", "key rotated", "key revoked"]
    assert {fields["key"] for fields in told} == {key.id}
    assert verify(store).sound


def test_keys_are_listed_and_unknown_ones_refused(keys: Keys) -> None:
    made = [keys.create(name, ["metrics"])[0] for name in ("a", "b")]
    assert keys.list() == tuple(made)
    for act in (keys.rotate, keys.revoke):
        with pytest.raises(ConfigError, match="no key has this id"):
            act("0123456789ab")
        with pytest.raises(ConfigError, match="no key has this id"):
            act("\ud800\0")


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        ([], "without a scope"),
        (["predit"], "did you mean 'predict'"),
        (["desk:credti"], "did you mean 'desk:credit'"),
        (["desk:credit.nothing"], "unknown operation of credit"),
        (["predict.more"], "unknown scope"),
        (["desk:"], "unknown scope"),
        ([""], "unknown scope"),
    ],
)
def test_scopes_are_checked(scopes: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_scopes(scopes)


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"burst": 0},
        {"max_bytes": 0},
        {"max_rows": -1},
    ],
)
def test_limits_are_checked(keys: Keys, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        keys.create(**{"name": "x", "scopes": ["predict"], **options})  # type: ignore[arg-type]
    assert keys.list() == ()


def test_an_overlap_is_not_negative(keys: Keys) -> None:
    key, _ = keys.create("scoring", ["predict"])
    with pytest.raises(ConfigError, match="overlap"):
        keys.rotate(key.id, -1)
