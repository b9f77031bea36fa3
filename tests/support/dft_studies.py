"""Studies with calculations, for tests of DFT."""

from __future__ import annotations

from typing import Any

TERNARIES = {"set": {"kind": "ternaries"}}


def study(**dft_block: Any) -> dict[str, Any]:
    """The least study, with calculations.

    Args:
        dft_block: Keys of its part ``dft``.
    """
    model = {
        "inputs": ["inputs"],
        "encoder": {"latents": 1, "hidden": [4]},
        "heads": {"inputs": {"hidden": [4], "loss": "mse"}},
    }
    return {
        "study": "small",
        "title": "Small",
        "question": "Does it run?",
        "tracking": "off",
        "datasets": {
            "data": {
                "title": "data",
                "generator": {"kind": "nested_functions", "scale": 1, "noise": 0.1},
                "columns": {"x0_1": {}, "y0_1": {"label": True}},
            }
        },
        "scales": {
            "one": {
                "dataset": "data",
                "features": {"inputs": {"columns": ["x0_1"]}},
                "models": {"nestmat": {"specification": model}},
            }
        },
        "dft": dft_block,
    }
