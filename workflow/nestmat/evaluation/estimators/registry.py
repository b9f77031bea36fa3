"""Kinds of baselines, by the name that a study gives them, and the module that defines each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.evaluation.estimators.base import BaselineKind

PACKAGE = "nestmat.evaluation.estimators"

BASELINES: Registry[type[BaselineKind]] = Registry(
    "baseline",
    {
        "mean": f"{PACKAGE}.mean",
        "ridge": f"{PACKAGE}.ridge",
        "lasso": f"{PACKAGE}.lasso",
        "nusvr": f"{PACKAGE}.nusvr",
        "random_forest": f"{PACKAGE}.random_forest",
        "extra_trees": f"{PACKAGE}.extra_trees",
        "xgboost": f"{PACKAGE}.xgboost",
        "gaussian_process": f"{PACKAGE}.gaussian_process",
        "stump": f"{PACKAGE}.stump",
        "logistic": f"{PACKAGE}.logistic",
        "svm": f"{PACKAGE}.svm",
        "hist_gradient_boosting": f"{PACKAGE}.hist_gradient_boosting",
        "mlp": f"{PACKAGE}.mlp",
    },
)
