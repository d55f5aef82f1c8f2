"""Loaders of well-known public data sets, from a folder that the user has.

Nothing is fetched. The folder is the argument, else the environment variable ``PLAIT_DATA``; each data set lies in a
folder of its own in it. Every loader says which columns it leaves out because they were not known at the row's time.
"""

from __future__ import annotations

import html
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Dataset",
    "bank_marketing",
    "banking77",
    "fsdd",
    "german_credit",
    "lendingclub",
    "maec",
    "taiwan_credit",
    "tolokers",
]

RATE = ("grade", "sub_grade", "int_rate", "installment")
AFTERWARDS = ("total_pymnt", "recoveries")
SPOKEN = re.compile(r"([0-9])_([a-z]+)_[0-9]+\.wav")
MARKS = re.compile(r"<br\s*/?>|Borrower added on \d\d/\d\d/\d\d\s*[>-]?", re.IGNORECASE)
TAIWAN = {
    "X1": "credit_limit",
    "X2": "sex",
    "X3": "education",
    "X4": "marriage",
    "X5": "age",
    **{f"X{6 + i}": f"repayment_status_{month}" for i, month in enumerate(("sep", "aug", "jul", "jun", "may", "apr"))},
    **{f"X{12 + i}": f"bill_{month}" for i, month in enumerate(("sep", "aug", "jul", "jun", "may", "apr"))},
    **{f"X{18 + i}": f"paid_{month}" for i, month in enumerate(("sep", "aug", "jul", "jun", "may", "apr"))},
}
SEX = {1: "male", 2: "female"}
EDUCATION = {1: "graduate school", 2: "university", 3: "high school", 4: "other"}
MARRIAGE = {1: "married", 2: "single", 3: "other"}


@dataclass(frozen=True)
class Dataset:
    """A known data set, ready for an estimator.

    Parameters
    ----------
    frame
        Features, target, and the columns named below; in time order where there is a time.
    target
        Name of the target column (0/1, or a class).
    time, label_time
        Names of the columns with the row's moment and the moment at which its outcome was known, or None.
    ignore
        Columns that are there for the record and are no features.
    split
        bool ``N``: true for the rows of the reference test set; None where the reference is cross-validation.
    notes
        What was left out and why, and what a reader of figures should know.
    tables
        Long tables beside the frame, by name.
    divisions
        int8 ``N x D``: where the reference is a mean over several divisions of the rows, each a column of 0 (to fit),
        1 (to choose) and 2 (to judge); else None.
    """

    frame: pd.DataFrame
    target: str
    time: str | None = None
    label_time: str | None = None
    ignore: tuple[str, ...] = ()
    split: npt.NDArray[np.bool_] | None = None
    notes: str = ""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    divisions: npt.NDArray[np.int8] | None = None

    @property
    def train(self) -> pd.DataFrame:
        """Rows of the reference training set.

        Raises
        ------
        DataError
            If the data set has no reference split.
        """
        return self.frame[~self._reference()]

    @property
    def test(self) -> pd.DataFrame:
        """Rows of the reference test set; raises as `train` does."""
        return self.frame[self._reference()]

    def _reference(self) -> npt.NDArray[np.bool_]:
        if self.split is None:
            raise DataError("this data set has no reference split: its figures are cross-validated; split `frame`")
        return self.split


def lendingclub(folder: str | os.PathLike[str] | None = None, *, with_rate: bool = False) -> Dataset:
    """Load LendingClub's loans of 2007-06 to 2011-12: a table, the borrower's words, and whether they were charged off.

    File: ``lendingclub/loans.parquet``. Loans "Fully Paid" or "Charged Off" are kept; those that "do not meet the
    credit policy" are not. The reference split is one of vintages: issued up to 2011-06 to fit, later to judge.

    Parameters
    ----------
    folder
        Where the data sets lie; default: the environment variable ``PLAIT_DATA``.
    with_rate
        Keep the lender's own judgement: ``grade``, ``sub_grade``, ``int_rate``, and ``installment``, from which amount
        and term give the rate back.

    Notes
    -----
    Left out, known only after issue: ``total_pymnt``, ``recoveries``, ``loan_status`` (the target's source). Left out,
    a copy of the time: ``issue_year``. In ``desc``, ``<br/>`` and the platform's "Borrower added on 01/31/10 >" are
    stripped and HTML entities resolved; an empty description is missing.

    ``label_time`` is ``outcome_known``, the contract's last instalment: issue plus term. The file does not date
    payments, and one rule for good and bad loans is right besides: dating each outcome by its own event would fill
    young vintages with early defaults alone. (A loan in arrears then is charged off within five months more.)

    Raises
    ------
    DataError
        If the folder or the file is missing, or the file lacks a column.
    """
    import pandas as pd

    needed = ["loan_status", "issue_d", "term", "desc", "earliest_cr_line", *AFTERWARDS, "issue_year", *RATE]
    loans = _parquet(folder, "lendingclub/loans.parquet", needed)
    loans = loans[loans["loan_status"].isin(["Fully Paid", "Charged Off"])]
    loans = loans.sort_values("issue_d", kind="stable").reset_index(drop=True)
    frame = loans.drop(columns=["loan_status", "issue_year", *AFTERWARDS, *(() if with_rate else RATE)])
    frame["desc"] = [_plain(text) for text in loans["desc"]]
    frame["term"] = loans["term"].astype(np.int64)
    for column in ("issue_d", "earliest_cr_line"):
        frame[column] = loans[column].astype("datetime64[ns]")
    months = frame["issue_d"].to_numpy().astype("datetime64[M]") + frame["term"].to_numpy()
    frame["outcome_known"] = months.astype("datetime64[ns]")
    frame["charged_off"] = (loans["loan_status"] == "Charged Off").astype(np.int64)
    judged = "." if with_rate else "; grade, sub_grade, int_rate and installment (the lender's own judgement)."
    return Dataset(
        frame,
        target="charged_off",
        time="issue_d",
        label_time="outcome_known",
        split=(frame["issue_d"] >= pd.Timestamp("2011-07-01")).to_numpy(),
        notes=(
            f"Left out: {', '.join(AFTERWARDS)} (known after issue); issue_year (a copy of issue_d){judged} The split"
            " is one of vintages: when the test loans were issued, the outcomes of most training loans were not yet"
            " known; outcome_known says when they were."
        ),
    )


def _plain(text: str | None) -> str | None:
    """A description without the platform's marks; None where nothing is left."""
    if not isinstance(text, str):
        return None
    words = MARKS.sub(" ", html.unescape(text)).split()
    return " ".join(words) or None


def german_credit(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 1,000 German loans (UCI Statlog), categories in words; target ``bad`` (30%). Figures: 5 stratified folds.

    File: ``german_credit/germancredit.csv``. No column is left out. `folder` and errors: see `lendingclub`.
    """
    import pandas as pd

    path = _path(folder, "german_credit/germancredit.csv")
    frame = pd.read_csv(path)
    _check(frame, path, ["creditability", "duration_in_month"])
    frame["bad"] = (frame.pop("creditability") == "bad").astype(np.int64)
    return Dataset(frame, target="bad", notes="No time and no reference split: figures are 5-fold, stratified.")


def taiwan_credit(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 30,000 card clients of a Taiwanese bank in 2005 (UCI); target ``default`` next month (22%).

    File: ``taiwan_credit/clients.parquet``. Columns are named after UCI's documentation: credit limit, sex, education,
    marriage, age, then repayment status (-2 no use, -1 paid in full, 0 revolving, 1 to 9 months late), bill and amount
    paid, each from September back to April 2005, in New Taiwan dollars. Codes that the documentation does not explain
    (education 0, 5, 6; marriage 0) are "undocumented". ``client`` is an identifier, to be ignored.
    `folder` and errors: see `lendingclub`. Figures: 5 stratified folds.
    """
    frame = _parquet(folder, "taiwan_credit/clients.parquet", ["ID", *TAIWAN, "Y"])
    frame = frame.rename(columns={"ID": "client", "Y": "default", **TAIWAN})
    for column, words in (("sex", SEX), ("education", EDUCATION), ("marriage", MARRIAGE)):
        frame[column] = frame[column].map(words).fillna("undocumented")
    notes = "No time and no reference split: figures are 5-fold, stratified. `client` is an identifier."
    return Dataset(frame, target="default", ignore=("client",), notes=notes)


def bank_marketing(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 45,211 calls of a Portuguese bank's campaigns, 2008-05 to 2010-11 (UCI); target ``subscribed`` (11.7%).

    File: ``bank_marketing/bank.parquet``. Rows are in the order of the calls: ``call_order`` (0, 1, ...) is the time,
    and the first 80% are the reference training set. The base rate moves from 6.7% there to 31.6% after it.
    ``duration`` is left out: it is known only when the call, and with it the outcome, is over.
    `folder` and errors: see `lendingclub`.
    """
    frame = _parquet(folder, "bank_marketing/bank.parquet", ["duration", "y", "age"])
    frame["subscribed"] = (frame.pop("y") == "yes").astype(np.int64)
    frame = frame.drop(columns="duration")
    frame.insert(0, "call_order", np.arange(len(frame)))
    return Dataset(
        frame,
        target="subscribed",
        time="call_order",
        split=np.arange(len(frame)) >= int(0.8 * len(frame)),
        notes="Left out: duration (known only after the call). Row order is time; the base rate rises fivefold.",
    )


def fsdd(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 1,200 recordings of six people saying English digits, 8 kHz (Free Spoken Digit Dataset); target ``digit``.

    Files: ``fsdd/{digit}_{speaker}_{index}.wav``, 20 a digit and speaker. Figures: leave one speaker out, so
    ``speaker`` is a group, to be ignored. ``sound`` is the file's name; ``frame.attrs["folder"]`` says where it lies.
    `folder` and errors: see `lendingclub`.
    """
    import pandas as pd

    home = _path(folder, "fsdd/0_george_0.wav").parent
    names = sorted(path.name for path in home.glob("*.wav"))
    parts = [SPOKEN.fullmatch(name) for name in names]
    known = [found for found in parts if found]
    frame = pd.DataFrame(
        {
            "sound": [found[0] for found in known],
            "speaker": [found[2] for found in known],
            "digit": [int(found[1]) for found in known],
        }
    )
    frame.attrs["folder"] = str(home)
    notes = "Six speakers: figures are of the speaker left out, who is never heard in training."
    return Dataset(frame, target="digit", ignore=("speaker",), notes=notes)


def tolokers(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 11,758 crowd workers who did the same tasks (Platonov et al., 2023); target ``banned`` (21.8%).

    File: ``tolokers/tolokers.npz``. ``tables["links"]`` has a row a pair of workers with a task in common, ``worker``
    and ``peer``, 519,000 of them: untimed, without direction, each once; ``worker.x`` and ``peer.x`` are what the frame
    says of either. The file names no feature: four shares that sum to one, a group of four, and two flags. Figures:
    mean over ten `divisions` (half to fit, a quarter each to choose and to judge). `folder` and errors: see
    `lendingclub`.
    """
    import pandas as pd

    path = _path(folder, "tolokers/tolokers.npz")
    needed = ["node_features", "node_labels", "edges", "train_masks", "val_masks", "test_masks"]
    features, labels, edges, *masks = _arrays(path, needed)
    names = [f"{kind}{i}" for kind, count in (("share", 4), ("group", 4), ("flag", 2)) for i in range(count)]
    told = pd.DataFrame(features.astype(np.float64), columns=names)
    links = pd.DataFrame(edges, columns=["worker", "peer"])
    ends = [told.iloc[links[end]].reset_index(drop=True).add_prefix(f"{end}.") for end in ("worker", "peer")]
    return Dataset(
        told.assign(worker=np.arange(len(told)), banned=labels.astype(np.int64)),
        target="banned",
        ignore=("worker",),
        notes="Links are known whole, those of test workers too; labels of workers to fit alone may be used.",
        tables={"links": pd.concat([links, *ends], axis=1)},
        divisions=np.select([mask.T for mask in masks], [np.int8(0), np.int8(1), np.int8(2)], np.int8(-1)),
    )


def banking77(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 13,083 messages to a bank's service desk (Casanueva et al., 2020); target ``category``, 77 intents in words.

    Files: ``banking77/train.csv`` (10,003 messages) and ``banking77/test.csv`` (3,080, 40 an intent, the reference test
    set). What a customer wrote is ``message``; no column is left out. `folder` and errors: see `lendingclub`.
    """
    import pandas as pd

    parts = []
    for name in ("train", "test"):
        path = _path(folder, f"banking77/{name}.csv")
        part = pd.read_csv(path)
        _check(part, path, ["category"])
        parts.append(part.set_axis(["message", *part.columns[1:]], axis=1))
    split = np.repeat([False, True], [len(part) for part in parts])
    notes = "No time. The test file has as many messages of every intent, the training file has not."
    return Dataset(pd.concat(parts, ignore_index=True), target="category", split=split, notes=notes)


def maec(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load 3,097 earnings calls of 2015 to 2017 (MAEC: Li et al., 2020); targets ``v3``, ``v7``, ``v15``, ``v30``.

    Files: ``maec/sentences.parquet``, ``maec/labels.csv``. ``vN`` is the log of the standard deviation of daily returns
    over the next N days, ``past_vN`` the same before the call. A row a call: its ``sentences`` (a list, names masked),
    ``sound`` (29 measures of the voice a sentence, channels by name, NaN where none), the four past volatilities.
    ``known_vN`` is the business day on which the target was known: drop training labels known later than the first test
    call. `folder` and errors: see `lendingclub`.
    """
    import pandas as pd

    path = _path(folder, "maec/labels.csv")
    calls = pd.read_csv(path, parse_dates=["date", "base_date"])
    horizons = (3, 7, 15, 30)
    _check(calls, path, ["call", "ticker", *(f"{kind}v{h}" for h in horizons for kind in ("", "past_"))])
    said = _parquet(folder, "maec/sentences.parquet", ["call", "idx", "sentence"]).sort_values(["call", "idx"])
    calls = calls.sort_values(["date", "call"], ignore_index=True)
    measures = [name for name in said.columns if name not in ("call", "idx", "sentence")]
    begins = np.flatnonzero(said["call"].ne(said["call"].shift()).to_numpy())
    places = dict(zip(said["call"].iloc[begins], zip(begins, [*begins[1:], len(said)], strict=True), strict=True))
    spans = [slice(*places.get(call, (0, 0))) for call in calls["call"]]
    sentences, values = said["sentence"].to_numpy(object), said[measures].to_numpy(np.float32)
    frame = calls[["call", "date", "ticker"]].assign(
        sentences=pd.Series([list(sentences[span]) for span in spans], dtype=object),
        sound=pd.Series([dict(zip(measures, values[span].T, strict=True)) for span in spans], dtype=object),
        **{f"past_v{h}": calls[f"past_v{h}"] for h in horizons},
        **{f"v{h}": calls[f"v{h}"] for h in horizons},
    )
    start = calls["base_date"].to_numpy().astype("datetime64[D]")
    for h in horizons:
        frame[f"known_v{h}"] = np.busday_offset(start, h, roll="forward").astype("datetime64[ns]")
    ignore = ("call", "ticker", *(f"{kind}v{h}" for h in horizons for kind in ("", "known_") if (kind, h) != ("", 3)))
    notes = "Left out: the ticker. Sort by date, first 80% train; labels may be missing (v30 in 3.7% of the calls)."
    split = np.arange(len(frame)) >= int(0.8 * len(frame))
    return Dataset(frame, target="v3", time="date", ignore=ignore, split=split, notes=notes)


def _path(folder: str | os.PathLike[str] | None, name: str) -> Path:
    given = folder if folder is not None else os.environ.get("PLAIT_DATA")
    if not given:
        raise DataError(f"no folder for {name}: give `folder`, or set the environment variable PLAIT_DATA to one")
    path = Path(given) / name
    if not path.is_file():
        where = "the argument `folder`" if folder is not None else "the environment variable PLAIT_DATA"
        raise DataError(f"{path} is not there (the folder came from {where}); public data is not fetched, put it there")
    return path


def _arrays(path: Path, names: list[str]) -> list[npt.NDArray[Any]]:
    """Arrays of a NumPy archive; none that would have to be unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            missing = sorted(set(names) - {name.removesuffix(".npy") for name in archive.namelist()})
            if missing:
                raise DataError(f"{path} lacks the arrays {', '.join(missing)}; it is another version of the data set")
            found = []
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    found.append(np.lib.format.read_array(file, allow_pickle=False))
            return found
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a readable NumPy archive: {str(error).splitlines()[0]}") from None


def _parquet(folder: str | os.PathLike[str] | None, name: str, needed: list[str]) -> pd.DataFrame:
    import pandas as pd

    path = _path(folder, name)
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from None
    _check(frame, path, needed)
    return frame


def _check(frame: pd.DataFrame, path: Path, needed: list[str]) -> None:
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)}; it is another version of the data set")
