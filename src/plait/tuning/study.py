"""Trials of options: which to try next, kept in a journal as they end.

The tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011) of Optuna,
seeded anew for each round of trials from how many have ended, so that a search that goes on after a stop is the search
that was never stopped. A trial that is worse after a split than the median of those before it at that split is given up
(the median rule of Golovin et al., "Google Vizier", 2017).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from plait.contracts import Between, Json, Space
from plait.data.files import made_folder
from plait.errors import DataError, MissingExtraError

__all__ = ["JOURNAL", "Study", "Trial", "by_part", "check_journal"]

JOURNAL = "trials.jsonl"
STARTUP = 8  # trials at random before the estimator chooses, and before any is given up


@dataclass(frozen=True)
class Trial:
    """One trial: what was tried, by ``part.option``, its loss on inner rows, and how it ended.

    `ended` is ``"finished"``, ``"pruned"`` (given up; the loss is that of the splits so far) or ``"failed"`` (`why`).
    """

    number: int
    values: Mapping[str, Json]
    loss: float | None
    ended: Literal["finished", "pruned", "failed"]
    why: str = ""


def check_journal(folder: Path, resume: bool) -> Path:
    """Where the journal of a search in a folder is.

    Raises
    ------
    DataError
        If there is one already, and it is not to be gone on with.
    """
    journal = folder / JOURNAL
    if journal.exists() and not resume:
        raise DataError(f"{str(journal)!r} holds trials already; go on with --resume, or name another folder")
    return journal


class Study:
    """A search over a space.

    Parameters
    ----------
    told
        What the losses depend on beside the space, as JSON: a journal of another search is not gone on with.
    folder
        Where the journal lies; None: it is kept in memory.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    DataError
        If there is a journal already, and it is not to be gone on with; or of another search.
    """

    def __init__(self, space: Space, seed: int, told: Mapping[str, Json], folder: Path | None, resume: bool) -> None:
        self._optuna = _library()
        self.space, self.seed = dict(space), seed
        self._study = self._opened(folder, resume, json.dumps({**told, "space": _as_json(space)}, sort_keys=True))

    def _opened(self, folder: Path | None, resume: bool, told: str) -> Any:
        optuna = self._optuna
        storage = None
        if folder is not None:
            journal = str(check_journal(made_folder(folder), resume))
            storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(journal))
        pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
        study = optuna.create_study(storage=storage, study_name="tune", load_if_exists=True, pruner=pruner)
        before = study.user_attrs.get("told", told)
        if before != told:
            raise DataError(f"{str(folder)!r} holds trials of other data, options or space; name another folder")
        study.set_user_attr("told", told)
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # its process is gone
        return study

    def ask(self, count: int) -> list[Any]:
        """The next trials, chosen from those that have ended."""
        ended = len(self.trials())
        asked = []
        for place in range(count):
            self._study.sampler = self._optuna.samplers.TPESampler(
                n_startup_trials=STARTUP, seed=(self.seed * 1_000_003 + ended + place) % 2**32
            )
            trial = self._study.ask()
            for name, where in self.space.items():
                _suggest(trial, name, where)
            asked.append(trial)
        return asked

    def options(self, trial: Any) -> dict[str, dict[str, Json]]:
        """What a trial tries, by part."""
        return by_part({name: _read(where, trial.params[name]) for name, where in self.space.items()})

    def hopeless(self, trial: Any, loss: float, step: int) -> bool:
        """Hear the loss after a split; whether the trial is to be given up."""
        trial.report(loss, step)
        return bool(trial.should_prune())

    def end(self, trial: Any, loss: float | None, ended: str = "finished", why: str = "") -> None:
        """A trial is over."""
        states = self._optuna.trial.TrialState
        trial.set_user_attr("ended", ended)
        if why:
            trial.set_user_attr("why", why)
        if ended == "failed":
            self._study.tell(trial, state=states.FAIL)
        elif ended == "pruned":
            self._study.tell(trial, state=states.PRUNED)
        else:
            self._study.tell(trial, loss)

    def trials(self) -> tuple[Trial, ...]:
        """Those that have ended, in their order; trials whose process was lost are not among them."""
        found: list[Trial] = []
        for trial in self._study.get_trials(deepcopy=False):
            ended = trial.user_attrs.get("ended")
            if ended is None or not trial.state.is_finished():
                continue
            steps = trial.intermediate_values
            loss = trial.value if ended == "finished" else steps[max(steps)] if steps else None
            values = {name: _read(where, trial.params[name]) for name, where in self.space.items()}
            found.append(Trial(len(found), values, loss, ended, trial.user_attrs.get("why", "")))
        return tuple(found)

    def importance(self) -> dict[str, float]:
        """How much of the spread of the losses each option explains (PED-ANOVA: Watanabe et al., IJCAI 2023), largest
        first; empty where trials are too few or all alike to tell."""
        losses = {trial.loss for trial in self.trials() if trial.ended == "finished"}
        if len(losses) < STARTUP:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}


def by_part(values: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Values by ``part.option`` as options by part."""
    options: dict[str, dict[str, Json]] = {}
    for name, value in values.items():
        part, _, option = name.partition(".")
        options.setdefault(part, {})[option] = value
    return options


def _suggest(trial: Any, name: str, where: Any) -> None:
    if not isinstance(where, Between):
        trial.suggest_categorical(name, [json.dumps(value) for value in where.values])
    elif where.whole:
        trial.suggest_int(name, where.low, where.high, log=where.log)
    else:
        trial.suggest_float(name, where.low, where.high, log=where.log)


def _read(where: Any, said: Json) -> Json:
    return said if isinstance(where, Between) else json.loads(said)


def _as_json(space: Space) -> dict[str, Json]:
    return {
        name: [where.low, where.high, where.log] if isinstance(where, Between) else list(where.values)
        for name, where in space.items()
    }


def _library() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("tuning needs Optuna; pip install 'plait[track]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
