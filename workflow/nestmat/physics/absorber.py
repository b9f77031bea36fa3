"""A single-junction absorber: what a layer collects of the light, and the cell that this makes.

Light enters at the front (x = 0) and is absorbed by Beer-Lambert's law in one pass, without reflection. The
minority carriers diffuse to the front, where a selective contact extracts them:

    D n'' - n / tau + alpha N exp(-alpha x) = 0,    0 < x < d,
    D n'(0) = (S_extract + S_front) n(0),           -D n'(d) = S_back n(d).

Of the carriers that reach the front, the share S_extract / (S_extract + S_front) is collected; S_front,
S_back and the bulk (diffusion length L, L^2 = D tau) only lose. In units of the thickness d, u = n D/(N d):

    u'' - b^2 u + a exp(-a xi) = 0,    u'(0) = s0 u(0),    -u'(1) = s1 u(1),
    xi = x/d,  a = alpha d,  b = d/L,  s = S d/D.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nestmat.physics.detailed_balance import (
    ROOM_TEMPERATURE,
    Performance,
    performance,
    photon_current,
)

# Gives 1e5 /cm at 2.25 eV (550 nm) for a gap of 1.6 eV, the order measured on CH3NH3PbI3: Löper et al., J.
# Phys. Chem. Lett. 6, 66 (2015), doi 10.1021/jz502471h.
ABSORPTION = 2.8e5
# Electrons in CH3NH3PbI3-xClx 0.042, holes 0.054: Stranks et al., Science 342, 341 (2013),
# doi 10.1126/science.1243982.
DIFFUSIVITY = 0.05
# Of a contact that is ten times faster than diffusion through 500 nm; a perfect one has the thermal velocity
# of some 1e7 cm/s.
EXTRACTION_VELOCITY = 1e4

_CM_PER_NM = 1e-7
_LARGEST_ENERGY = 4.43  # eV, where the spectrum begins
_BINS = 128
_CHUNK = 4096


def _decay(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 - exp(-z)) / z, which is 1 at 0."""
    safe = np.where(z == 0, 1.0, z)
    return np.where(z == 0, 1.0, -np.expm1(-safe) / safe)


def _positive(**values: NDArray[np.float64]) -> None:
    for name, value in values.items():
        if not np.all(value > 0):
            raise ValueError(f"The {name.replace('_', ' ')} must be above 0.")


def carrier_profile(
    position: ArrayLike, a: ArrayLike, b: ArrayLike, s0: ArrayLike, s1: ArrayLike
) -> NDArray[np.float64]:
    """Reduced density u of the carriers in the absorber, in closed form.

    u = p + [a/(a+b) R - (p'(1) + s1 p(1)) F] / W, where

    * p = a (exp(-b xi) - exp(-a xi)) / (a^2 - b^2) solves the equation with p(0) = 0,
    * R = cosh(b (1-xi)) + s1 sinh(b (1-xi)) / b has no source and obeys the condition at the back,
    * F = cosh(b xi) + s0 sinh(b xi) / b has no source and obeys the condition at the front,
    * W = s0 R(0) - R'(0) is their Wronskian.

    This is the textbook P cosh(b xi) + Q sinh(b xi) + K exp(-a xi) with K = -a/(a^2 - b^2), written so that
    nothing is singular at a = b or b = 0 and nothing overflows: R, F and W are held in units of exp(b).

    Args:
        position: xi from 0 (front) to 1 (back); all arguments are broadcast.
        a: Thickness over absorption length, above 0.
        b: Thickness over diffusion length, 0 or more.
        s0: Reduced velocity of all that takes carriers at the front, above 0.
        s1: Reduced velocity of recombination at the back, 0 or more.

    Returns:
        u; relative rounding error of some 1e-16 / (a + b) for a weakly absorbing, lossless layer.

    Raises:
        ValueError: An argument is out of range.
    """
    xi, a, b, s0, s1 = (np.asarray(value, dtype=np.float64) for value in (position, a, b, s0, s1))
    _positive(a=a, s0=s0)
    if not (np.all(b >= 0) and np.all(s1 >= 0) and np.all((xi >= 0) & (xi <= 1))):
        raise ValueError("The numbers b and s1 must be 0 or more, and the position within 0 and 1.")
    lower, difference = np.minimum(a, b), np.abs(a - b)

    def particular(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return a / (a + b) * x * np.exp(-lower * x) * _decay(difference * x)

    def homogeneous(x: NDArray[np.float64], s: NDArray[np.float64]) -> NDArray[np.float64]:
        far = np.exp(-b * (1 - x))
        return far * ((1 + np.exp(-2 * b * x)) / 2 + s * x * _decay(2 * b * x))

    one = np.ones(())
    wronskian = s0 * homogeneous(one, s1) - b * np.expm1(-2 * b) / 2 + s1 * (1 + np.exp(-2 * b)) / 2
    at_back = a / (a + b) * np.exp(-a) + (s1 - b) * particular(one)
    return (
        particular(xi) + (a / (a + b) * homogeneous(1 - xi, s1) - at_back * homogeneous(xi, s0)) / wronskian
    )


def collection_efficiency(a: ArrayLike, b: ArrayLike, s0: ArrayLike, s1: ArrayLike) -> NDArray[np.float64]:
    """Share of the carriers made in the absorber that arrive at its front, u'(0) / (1 - exp(-a)).

    Args:
        a: Thickness over absorption length, above 0; all arguments are broadcast.
        b: Thickness over diffusion length, 0 or more.
        s0: Reduced velocity of all that takes carriers at the front, above 0.
        s1: Reduced velocity of recombination at the back, 0 or more.
    """
    return np.asarray(s0) * carrier_profile(0.0, a, b, s0, s1) / -np.expm1(-np.asarray(a, dtype=np.float64))


def absorption_coefficient(
    energy: ArrayLike, gap: ArrayLike, strength: ArrayLike = ABSORPTION
) -> NDArray[np.float64]:
    """Absorption coefficient of a direct, allowed transition between parabolic bands.

    alpha = strength sqrt(E - gap) / E, and 0 below the gap: Yu and Cardona, Fundamentals of Semiconductors
    (2010), section 6.2, doi 10.1007/978-3-642-00710-1. Neither excitons nor tails are in it.

    Args:
        energy: Photon energies in eV; all arguments are broadcast.
        gap: Gaps in eV.
        strength: In cm-1 eV^(1/2).

    Returns:
        1/cm.
    """
    energy = np.asarray(energy, dtype=np.float64)
    return strength * np.sqrt(np.maximum(energy - gap, 0.0)) / energy


def _photocurrent(
    gap: NDArray[np.float64],
    thickness: NDArray[np.float64],
    diffusion_length: NDArray[np.float64],
    front: NDArray[np.float64],
    back: NDArray[np.float64],
    extraction: NDArray[np.float64],
    diffusivity: NDArray[np.float64],
    strength: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Current densities (mA/cm2) of devices of shape (n,) with gaps above 0 and below the spectrum's end."""
    # Bins widen with the square of their number, for alpha rises with the root of the energy. The photons of
    # a bin are counted exactly, so that the sum over bins cannot exceed the current of all photons.
    edges = np.linspace(0, 1, _BINS + 1) ** 2
    centres = ((np.arange(_BINS) + 0.5) / _BINS) ** 2
    span = (_LARGEST_ENERGY - gap)[:, None]
    photons = -np.diff(photon_current(gap[:, None] + span * edges), axis=1)
    alpha = absorption_coefficient(gap[:, None] + span * centres, gap[:, None], strength[:, None])
    per_diffusion = thickness * _CM_PER_NM / diffusivity
    density = carrier_profile(
        0.0,
        alpha * (thickness * _CM_PER_NM)[:, None],
        (thickness / diffusion_length)[:, None],
        ((extraction + front) * per_diffusion)[:, None],
        (back * per_diffusion)[:, None],
    )
    return extraction * per_diffusion * (photons * density).sum(axis=1)


def simulate(
    gap: ArrayLike,
    thickness: ArrayLike,
    diffusion_length: ArrayLike,
    front_velocity: ArrayLike,
    back_velocity: ArrayLike,
    radiative_efficiency: ArrayLike,
    *,
    extraction_velocity: ArrayLike = EXTRACTION_VELOCITY,
    diffusivity: ArrayLike = DIFFUSIVITY,
    absorption: ArrayLike = ABSORPTION,
    temperature: ArrayLike = ROOM_TEMPERATURE,
) -> Performance:
    """Single-junction cells under one sun.

    The photocurrent is what the absorber collects over the spectrum; the voltage and the fill factor are
    those of the detailed balance at that photocurrent, with an external radiative efficiency. The
    photocurrent is the same at every voltage. The losses of current and of voltage are independent inputs,
    though a process that raises a surface velocity would usually lower the radiative efficiency too.

    Args:
        gap: Gaps in eV; all arguments are broadcast. A gap of 0 or less, and one above the 4.43 eV of the
            spectrum, give efficiency 0; NaN gives NaN.
        thickness: Of the absorber, in nm.
        diffusion_length: Of minority carriers, in nm.
        front_velocity: Recombination velocity at the front, where carriers are collected, in cm/s.
        back_velocity: Recombination velocity at the back, in cm/s.
        radiative_efficiency: External radiative efficiency, above 0 and up to 1.
        extraction_velocity: Velocity at which the front contact takes carriers out, in cm/s.
        diffusivity: Of minority carriers, in cm2/s (mobility times kT/q).
        absorption: Strength of the absorption, see `absorption_coefficient`.
        temperature: Of the cell, in K.

    Raises:
        ValueError: An argument is out of range.
    """
    arrays = np.broadcast_arrays(
        *(
            np.asarray(value, dtype=np.float64)
            for value in (
                gap,
                thickness,
                diffusion_length,
                front_velocity,
                back_velocity,
                extraction_velocity,
                diffusivity,
                absorption,
            )
        )
    )
    shape, columns = arrays[0].shape, np.stack([array.ravel() for array in arrays])
    _positive(
        thickness=columns[1],
        diffusion_length=columns[2],
        extraction_velocity=columns[5],
        diffusivity=columns[6],
        absorption=columns[7],
    )
    if not np.all(columns[3:5] >= 0):
        raise ValueError("The surface recombination velocities must be 0 or more.")
    gaps = columns[0]
    jsc = np.where(np.isnan(gaps), np.nan, 0.0)
    working = np.flatnonzero((gaps > 0) & (gaps < _LARGEST_ENERGY))
    for start in range(0, len(working), _CHUNK):
        chunk = working[start : start + _CHUNK]
        jsc[chunk] = _photocurrent(*columns[:, chunk])
    return performance(jsc.reshape(shape), gap, temperature, radiative_efficiency)
