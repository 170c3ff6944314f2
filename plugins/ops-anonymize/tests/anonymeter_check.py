"""Run by a Python that has anonymeter (it pins libraries of its own): attacks the releases named on standard input.

Reads a JSON object with the paths of `original`, `control` and `releases`, the columns of the attacks, `attempts`,
`predicates`, `max_attempts`, `confidence` and `seed`; writes for each release and attack the successes and the rate on
people of the table, those on the control, and the risk, each with its interval.
"""

import json
import logging
import sys
import warnings

import numpy as np
import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)


def read(path: str) -> pd.DataFrame:
    # its predicates are expressions of pandas, in which a hyphen is a minus
    return pd.read_csv(path).rename(columns=lambda name: name.replace("-", "_"))


def told(evaluator: object) -> dict:
    results = evaluator.results(confidence_level=how["confidence"])
    risk = evaluator.risk(confidence_level=how["confidence"])
    rates = {"attack": results.attack_rate, "control": results.control_rate}
    return {
        "attempts": results.n_attacks_ori,
        "successes": int(results.n_success),
        "successes_control": float(results.n_control),
        **{f"{name}_interval": [rate.value - rate.error, rate.value + rate.error] for name, rate in rates.items()},
        "risk": risk.value,
        "risk_interval": list(risk.ci),
    }


def named(columns: list) -> list:
    return [name.replace("-", "_") for name in columns]


how = json.load(sys.stdin)
np.random.seed(how["seed"])  # its evaluators draw by it
original, control = read(how["original"]), read(how["control"])
found = []
for path in how["releases"]:
    tables = {"ori": original, "syn": read(path), "control": control}
    linked = tuple(map(named, how["linked_columns"]))
    secret = how["secret"].replace("-", "_")
    attempts = how["attempts"]  # on persons
    alone = SinglingOutEvaluator(
        **tables, n_attacks=how["predicates"], n_cols=3, max_attempts=how["max_attempts"], seed=how["seed"]
    )
    link = LinkabilityEvaluator(**tables, aux_cols=linked, n_attacks=attempts)
    guess = InferenceEvaluator(**tables, aux_cols=named(how["known"]), secret=secret, n_attacks=attempts)
    found.append(
        {
            "singling_out_multivariate": told(alone.evaluate(mode="multivariate")),
            "linkability": told(link.evaluate(n_jobs=1)),
            f"inference_{how['secret']}": told(guess.evaluate(n_jobs=1)),
        }
    )
json.dump(found, sys.stdout)
