"""Bonds of a strained 2H monolayer MX2: the same numbers for every cell of the same crystal."""

from __future__ import annotations

import torch
from torch import Tensor

BONDS = {
    **{f"bond_{k}": ("Å", f"M-X bond, number {k} by length") for k in range(1, 7)},
    **{f"edge_{k}": ("Å", f"M-M distance in the plane, number {k} by length") for k in range(1, 4)},
    "pair": ("Å", "X-X distance across the layer"),
    "thickness": ("Å", "height of one plane of X above the other"),
    "area": ("Å²", "area of the cell in the plane"),
}
"""What `bonds` gives, with units and descriptions."""


def bonds(cell: Tensor, height: float) -> Tensor:
    """Bond lengths of 2H monolayers whose atoms sit at fixed fractions of the cell, differentiable.

    With the vectors a, b, c of a cell, d_1 = (a - b) / 3, d_2 = (a + 2 b) / 3 and d_3 = -(2 a + b) / 3 lead
    from M to the middle of the three pairs of X around it, and the bonds are d_i + h c and d_i - h c. Another
    cell of the same crystal, with a and b exchanged, with two other of the three edges, or with c turned
    about, has the same bonds in another order: they are sorted.

    Args:
        cell: Lattice constants in angstrom and angles in degrees, (n, 6): a, b, c, alpha, beta, gamma.
        height: h, X above the plane of M as a fraction of c.

    Returns:
        (n, columns of `BONDS`), in angstrom and square angstrom; NaN where the angles make no cell.
    """
    a, b, c = cell[:, :3].unbind(dim=1)
    alpha, beta, gamma = torch.deg2rad(cell[:, 3:]).unbind(dim=1)
    ab, ac, bc = (x * y * torch.cos(g) for x, y, g in ((a, b, gamma), (a, c, beta), (b, c, alpha)))
    # Squares of the edges a, b, a + b and, of them, of d_1, d_2, d_3.
    edges = torch.stack([a**2, b**2, a**2 + b**2 + 2 * ab], dim=1)
    plane = (2 * edges.sum(dim=1, keepdim=True) - 3 * edges[:, [2, 0, 1]]) / 9
    across = torch.stack([(ac - bc) / 3, (ac + 2 * bc) / 3, -(2 * ac + bc) / 3], dim=1)
    middle = plane + (height * c[:, None]) ** 2
    slope = 2 * height * across
    half = (alpha + beta + gamma) / 2
    # The product of sines keeps its digits where a cell is almost flat.
    volume = 2 * torch.sqrt(
        torch.sin(half) * torch.sin(half - alpha) * torch.sin(half - beta) * torch.sin(half - gamma)
    )
    parts = [
        torch.cat([middle + slope, middle - slope], dim=1).sqrt().sort(dim=1).values,
        edges.sqrt().sort(dim=1).values,
        torch.stack(
            [2 * height * c, 2 * height * c * volume / torch.sin(gamma), a * b * torch.sin(gamma)], dim=1
        ),
    ]
    return torch.cat(parts, dim=1)
