"""Questions about judgement: explanation, calibration, conformal sets, leaks, fairness, drift."""
