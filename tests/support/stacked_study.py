"""A study of two scales whose models are stacked, as its YAML file holds it."""

from __future__ import annotations

from copy import deepcopy


def model(target: str, *inputs: str, **more) -> dict:
    """A model with one head, as a study holds it."""
    return {"specification": {"inputs": [*inputs], "encoder": {"latents": 2}, "heads": {target: {}}, **more}}


def configuration() -> dict:
    """A fine scale without a stack of its own, below a coarse one that has one."""
    table = {"title": "t", "file": "t.csv", "columns": {"x": {}, "y": {}, "kind": {"kind": "category"}}}
    fine = {
        "dataset": "rows",
        "targets": ["y"],
        "features": {"inputs": {"columns": ["x"]}},
        "splits": {"by_kind": {"kind": "leave_one_out", "column": "kind"}},
        "models": {"nested": model("y", "inputs")},
    }
    coarse = {
        **deepcopy(fine),
        "parents": ["fine"],
        "models": {"nested": model("y", "inputs", "fine"), "alone": model("y", "inputs")},
        "baselines": {"ridge": {"kind": "ridge", "inputs": ["inputs"], "protocols": ["strict"]}},
        "recommended": {"stack": ["nested", "ridge"]},
    }
    return {
        "study": "s",
        "title": "t",
        "question": "q",
        "datasets": {"rows": table},
        "scales": {"fine": fine, "coarse": coarse},
    }


def remote() -> dict:
    """The study with its data at an address, as Parquet."""
    content = configuration()
    table = {"title": "t", "url": "https://example.org/t.parquet", "sha256": "0" * 64}
    content["datasets"]["rows"] = {**table, "columns": content["datasets"]["rows"]["columns"]}
    return content
