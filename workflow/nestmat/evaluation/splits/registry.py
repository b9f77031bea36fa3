"""Kinds of splits, by the name that a study gives them, and the module that defines each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.evaluation.splits.base import SplitKind

PACKAGE = "nestmat.evaluation.splits"

SPLITS: Registry[type[SplitKind]] = Registry(
    "split",
    {
        "stratified": f"{PACKAGE}.stratified",
        "kfold": f"{PACKAGE}.kfold",
        "grouped": f"{PACKAGE}.grouped",
        "leave_one_out": f"{PACKAGE}.leave_one_out",
        "shared": f"{PACKAGE}.shared",
        "holdout": f"{PACKAGE}.holdout",
        "column": f"{PACKAGE}.column",
        "shared_column": f"{PACKAGE}.shared_column",
    },
)
