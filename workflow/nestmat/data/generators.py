"""Tables that are made instead of read: functions with a known truth, and compositions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nestmat.data.generator_registry import GENERATORS
from nestmat.errors import InputError
from nestmat.materials import perovskite_grid

_SEED_OF_NOISE, _SEED_OF_INPUTS = 42, 100


@GENERATORS.register("nested_functions")
def nested_functions(scale: int, noise: float = 0.1, rows: int = 1000) -> pd.DataFrame:
    r"""Three nested scales of functions with noise inside them.

    Eight inputs are uniform on [-1, 1] and 18 noises z0..z17 are normal with standard deviation ``noise``;
    both are rounded to 3 decimals. With a = x0_1 + z0, b = x1_1 + z1, c = x2_1 + z2:

    ======  ====================================================  ==========================================
    scale   inputs                                                target
    ======  ====================================================  ==========================================
    1       x0_1 .. x7_1                                          y0_1 = a^2 + (x7_1 + z7)^2
    2       x0_2 = 2 a + 3 b,  x1_2 = a + c,  x2_2 = a^2,         y0_2 = (y0_1 + z8)^2 + q^4,
            x3_2 = b^2,  x4_2 = b c                               with q = x4_2 + z13
    3       x0_3 = p - q,  x1_3 = p q,  with p = x0_2 + z9        y0_3 = (y0_2 + z14)^2 + (x0_3 + z15)^4
    ======  ====================================================  ==========================================

    The truth that a model may be held against:

    * Scale 1: the inputs fill 8 dimensions; 2 of them (x0_1, x7_1) matter to the target. No predictor from
      the inputs can have a smaller mean squared error than 8/3 s^2 + 4 s^4 (s is the noise).
    * Scale 2: the five inputs are exact functions of a, b, c: 3 dimensions. Of what a model can see,
      x2_2 = a^2, x4_2 = b c, and the finer scale's x7_1 matter to the target. x7_1 is not among the inputs of
      the scale: this is what nesting can add.
    * Scale 3: the two inputs are exact functions of p and q: 2 dimensions. The target depends on x0_3 and on
      y0_2, that is on a^2, x7_1 and q: again only a finer scale knows x7_1.

    The noises z3..z6, z10..z12, z16 and z17 enter nothing. Row i is the same object in all three scales.

    Source: the set ``synthetic_dataset_2`` of https://github.com/T-NIKHIL/NestedAE at commit 6f9af60, drawn
    with numpy's legacy generator: seed 42, ``normal(size=(rows, 18))``, then seed 100,
    ``uniform(size=(rows, 8))``.

    Args:
        scale: 1, 2 or 3, finest first.
        noise: Standard deviation s of the noises; the published sets have 0.1 and 1.
        rows: Number of rows, 1000 in the published sets; a smaller set is the beginning of a larger one.

    Returns:
        ``rows`` rows: the inputs of the scale, then its target; without units.

    Raises:
        InputError: An argument is out of range.
    """
    if scale not in (1, 2, 3) or rows < 1 or not 0 <= noise < np.inf:
        raise InputError(
            "The generator nested_functions needs scale 1, 2 or 3, at least one row and noise of 0 or more.",
            value={"scale": scale, "noise": noise, "rows": rows},
            remedy="correct the options of the data set.",
        )
    # The legacy generator is what the published set was drawn with.
    z = np.random.RandomState(_SEED_OF_NOISE).normal(0, noise, (rows, 18)).round(3)
    x = np.random.RandomState(_SEED_OF_INPUTS).uniform(-1, 1, (rows, 8)).round(3)
    a, b, c = (x[:, :3] + z[:, :3]).T
    y_1 = a**2 + (x[:, 7] + z[:, 7]) ** 2
    x_2 = np.column_stack((2 * a + 3 * b, a + c, a**2, b**2, b * c))
    p, q = x_2[:, 0] + z[:, 9], x_2[:, 4] + z[:, 13]
    y_2 = (y_1 + z[:, 8]) ** 2 + q**4
    x_3 = np.column_stack((p - q, p * q))
    y_3 = (y_2 + z[:, 14]) ** 2 + (x_3[:, 0] + z[:, 15]) ** 4
    inputs, target = ((x, y_1), (x_2, y_2), (x_3, y_3))[scale - 1]
    frame = pd.DataFrame(inputs, columns=[f"x{k}_{scale}" for k in range(inputs.shape[1])])
    return frame.assign(**{f"y0_{scale}": target})


@GENERATORS.register("perovskite_space")
def perovskite_space(
    a: Sequence[str],
    b: Sequence[str],
    x: Sequence[str],
    steps: int = 4,
    mixed: Sequence[str] = ("A", "B", "X"),
) -> pd.DataFrame:
    """Compositions ABX3 of a grid, each once; see `nestmat.materials.perovskite_grid.perovskites`.

    Args:
        a: Ions of site A.
        b: Ions of site B.
        x: Ions of site X.
        steps: Equal steps that the mixing ratio of two ions on a site is divided into.
        mixed: Sites on which two ions may be mixed.

    Returns:
        One row a composition, with the column formula: features are derived from it.
    """
    return pd.DataFrame(
        {"formula": [formula.text for formula in perovskite_grid.perovskites(a, b, x, steps, mixed)]}
    )
