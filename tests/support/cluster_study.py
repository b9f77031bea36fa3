"""A study of seconds: two scales, a search, and a space that is screened in chunks."""

from __future__ import annotations

from support.lead_free_study import lead_free_study

CHUNKS = 3


def cluster_study() -> dict:
    """Two scales of one network each, searched at random and screened."""
    study = lead_free_study()
    for scale in study["scales"].values():
        del scale["baselines"], scale["recommended"]
        scale.pop("pass_prediction", None)
        training = {"epochs": 3, "seeds": 2, "learning_rate": 0.01}
        scale["models"]["nested"]["specification"]["training"] = training
    study["datasets"]["cells"]["generator"]["rows"] = 60
    problem = study["search"]["lead_free"]
    del problem["verify"], problem["retrain"], problem["judges"]["physics"]
    problem["judges"]["trees"]["trees"] = 10
    problem["methods"] = {"random": {"kind": "random"}}
    problem |= {"budget": 200, "seeds": 1, "proposals": 5, "shortlist": {"method": "random", "top": 2}}
    problem["screen"] = {"chunks": CHUNKS, "keep": 5, "sample": 5}
    return study
