"""Spoken digits: made files with the same names, and the real ones where PLAIT_DATA says they are."""

from __future__ import annotations

import os

import pytest

from plait.data import public
from plait.errors import DataError


def test_names_tell_digit_and_speaker(tmp_path):
    (tmp_path / "fsdd").mkdir()
    for name in ("0_george_0.wav", "7_theo_12.wav", "notes.txt", "odd.wav"):
        (tmp_path / "fsdd" / name).write_bytes(b"")
    data = public.fsdd(tmp_path)
    assert data.frame.to_dict("list") == {
        "sound": ["0_george_0.wav", "7_theo_12.wav"],
        "speaker": ["george", "theo"],
        "digit": [0, 7],
    }
    assert (data.target, data.ignore, data.frame.attrs["folder"]) == ("digit", ("speaker",), str(tmp_path / "fsdd"))


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="0_george_0"):
        public.fsdd(tmp_path)


@pytest.mark.realdata
def test_the_real_recordings():
    if not os.environ.get("PLAIT_DATA"):
        pytest.skip("PLAIT_DATA names no folder")
    frame = public.fsdd().frame
    assert frame.groupby(["speaker", "digit"]).size().to_dict() == {
        (speaker, digit): 20
        for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
        for digit in range(10)
    }
