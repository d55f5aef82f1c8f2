"""What is left of a model of five kinds of evidence as they get worse, and does it give its rows away?"""

from __future__ import annotations

import sys

from benchmarks.runner import Beside, Measured, Report, main
from plait.data import samples
from plait.judgement.membership import membership
from plait.judgement.robustness import StressCurve, robustness

ROWS, HELD = 1_200, 400


def figures(curve: StressCurve) -> list[Measured]:
    """The metric at the middle and the highest level, beside the rows as they are."""
    made = []
    for at in sorted({len(curve.levels) // 2, len(curve.levels) - 1}):
        loss, clean = curve.losses[at], curve.values[0]
        below = Beside(clean.value, clean.low, clean.high, -loss.value, -loss.high, -loss.low)
        name = f"{curve.name}, {curve.levels[at]:g} {curve.unit}"
        made.append(Measured(name, *curve.values[at], "ROC AUC", {"as they are (and change)": below}))
    return made


def run(seed: int) -> Report:
    """Early fusion of made dossiers; a network of their table and letter under attack; attacks on who was learned."""
    import plait

    frame = samples.dossiers(ROWS + HELD, seed)
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:]
    model = plait.Classifier(fusion="early", learner="lightgbm", time="issued_at", n_jobs=1, random_state=seed)
    model.fit(train.drop(columns="default"), train["default"])
    stresses = ["sources", "numbers", "typing", "places", "sounds"]
    found = robustness(model, test, test["default"], rows=HELD, stresses=stresses, seed=seed)
    seen = robustness(model, test, test["default"], rows=120, stresses=["pictures"], seed=seed)
    curves = [*found.curves, *seen.curves]
    told = membership(
        model, (train.drop(columns="default"), train["default"]), (test.drop(columns="default"), test["default"])
    )
    loans = samples.loans(3_000, seed).drop(columns="balance")
    network = plait.Classifier(fusion="attention", time="issued_at", n_jobs=1, random_state=seed)
    network.fit(loans.iloc[:2_000].drop(columns="default"), loans["default"].iloc[:2_000])
    rest = loans.iloc[2_000:]
    attacked = robustness(network, rest, rest["default"], rows=1_000, stresses=["adversarial"], seed=seed)
    return Report(
        data=f"plait.samples.dossiers: made, five sources, {ROWS:,} rows; attack: plait.samples.loans, two",
        split=f"{HELD} later rows (pictures: 120 of them); attack: 2,000 rows to fit, 1,000 later ones",
        figures=(
            *(each for curve in curves for each in figures(curve)),
            *(
                Measured(f"network: {curve.name}, {level:g} of a token's size", *value, "ROC AUC")
                for curve in attacked.curves
                for level, value in zip(curve.levels, curve.values, strict=True)
            ),
            *(
                Measured(f"membership by {attack}: {name.replace('_', ' ')}", *span, "share")
                for attack, spans in told.attacks.items()
                for name, span in spans.items()
            ),
        ),
        notes=("intervals of changes are paired", "outsiders of the membership attack are later rows"),
    )


if __name__ == "__main__":
    sys.exit(main(run))
