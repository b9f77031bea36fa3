"""The detailed-balance limit of a single junction under the AM1.5G spectrum, vectorised over gaps.

Shockley and Queisser, J. Appl. Phys. 32, 510 (1961), doi 10.1063/1.1736034. Every photon above the gap gives
one carrier pair; the cell emits black-body radiation above the gap into the front hemisphere. A non-radiative
loss enters as the external radiative efficiency: Rau, Phys. Rev. B 76, 085303 (2007),
doi 10.1103/PhysRevB.76.085303.

The spectrum is the global tilt of ASTM G173-03, 280 to 4000 nm, as pymatgen bundles it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import constants
from scipy.special import wrightomega

ROOM_TEMPERATURE = 298.15
_BOLTZMANN = constants.k / constants.e  # eV/K
_EV_NM = constants.h * constants.c / constants.e * 1e9
_MA_PER_CM2 = 0.1  # in 1 A/m2
# Of the sum over multiples of the gap; leaves 1e-3 at no gap and less than 1e-15 above two kT.
_TERMS = np.arange(1.0, 21.0)


@dataclass(frozen=True)
class Performance:
    """A cell at one sun; arrays of one shape, that of the arguments broadcast.

    Attributes:
        jsc: Short-circuit current density in mA/cm2.
        voc: Open-circuit voltage in V.
        fill_factor: Largest power over ``jsc * voc``, a fraction.
        pce: Power conversion efficiency in percent.
    """

    jsc: NDArray[np.float64]
    voc: NDArray[np.float64]
    fill_factor: NDArray[np.float64]
    pce: NDArray[np.float64]


@lru_cache(maxsize=1)
def spectrum() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wavelengths (nm, ascending) and irradiance (W m-2 nm-1) of AM1.5G, each of shape (2002,)."""
    with resources.files("pymatgen.analysis.solar").joinpath("am1.5G.dat").open() as file:
        wavelength, irradiance = np.loadtxt(file, skiprows=2, unpack=True)
    return wavelength, irradiance


@lru_cache(maxsize=1)
def incident_power() -> float:
    """Power density of the spectrum, 100.04 mW/cm2."""
    wavelength, irradiance = spectrum()
    return float(np.trapezoid(irradiance, wavelength)) * _MA_PER_CM2


@lru_cache(maxsize=1)
def _cumulative_current() -> NDArray[np.float64]:
    """Current density (mA/cm2) of all photons up to each wavelength of the spectrum."""
    from scipy.integrate import cumulative_trapezoid

    wavelength, irradiance = spectrum()
    return cumulative_trapezoid(irradiance * wavelength / _EV_NM, wavelength, initial=0.0) * _MA_PER_CM2


def photon_current(energy: ArrayLike) -> NDArray[np.float64]:
    """Current density of all photons above an energy, one charge each; continuous in the energy.

    Args:
        energy: Photon energies in eV, of any shape. All photons of the spectrum are above 0.31 eV.

    Returns:
        mA/cm2; NaN for NaN.
    """
    # Any energy below the end of the spectrum gives the total; this one keeps the quotient finite.
    wavelength = _EV_NM / np.maximum(np.asarray(energy, dtype=np.float64), 0.1)
    return np.interp(wavelength, spectrum()[0], _cumulative_current())


def short_circuit_current(gap: ArrayLike) -> NDArray[np.float64]:
    """Current density (mA/cm2) of all photons above a gap in eV; 0 for a metal (gap <= 0), NaN for NaN."""
    gap = np.asarray(gap, dtype=np.float64)
    return np.where(gap <= 0, 0.0, photon_current(gap))


def _log_saturation_current(gap: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm of `saturation_current`, which itself underflows for wide gaps in the cold."""
    thermal = _BOLTZMANN * np.asarray(temperature, dtype=np.float64)
    if not np.all(thermal > 0):
        raise ValueError("The temperature must be above 0 K.")
    x = np.maximum(np.asarray(gap, dtype=np.float64), 0.0) / thermal
    # 1 / (exp(E) - 1) as a geometric series makes every term of the integral over E^2 elementary.
    k, y = _TERMS, x[..., None]
    series = (np.exp(-(k - 1) * y) * (y**2 / k + 2 * y / k**2 + 2 / k**3)).sum(axis=-1)
    prefactor = 2 * np.pi * constants.e**4 / (constants.h**3 * constants.c**2) * _MA_PER_CM2
    return np.log(prefactor * thermal**3 * series) - x


def saturation_current(gap: ArrayLike, temperature: ArrayLike = ROOM_TEMPERATURE) -> NDArray[np.float64]:
    """Radiative recombination current in the dark at no bias, into the front hemisphere.

    J0 = 2 pi q / (h^3 c^2) times the integral of E^2 / (exp(E/kT) - 1) over E from the gap.

    Args:
        gap: Gaps in eV, of any shape; a gap below 0 counts as 0.
        temperature: Of the cell, in K; broadcast with the gaps.

    Returns:
        mA/cm2; NaN for NaN.
    """
    return np.exp(_log_saturation_current(gap, temperature))


def fill_factor(voltage: ArrayLike) -> NDArray[np.float64]:
    """Fill factor of an ideal diode, exact, from its open-circuit voltage v in units of kT/q.

    The largest power of J = Jsc (exp(v) - exp(u)) / (exp(v) - 1) is at the bias u = W(exp(1 + v)) - 1 with
    Lambert's W. The empirical formula of Green, Solid-State Electronics 24, 788 (1981),
    doi 10.1016/0038-1101(81)90062-9, is an approximation to it within 0.03 % for v > 10, and up to 27 % too
    low for v of 1 to 10. It is not used: above v = 13 it exceeds the exact value, if only by 0.01 %, which
    would take a good cell above the limit.

    Args:
        voltage: v >= 0, of any shape; a quarter in the limit of 0.
    """
    v = np.asarray(voltage, dtype=np.float64)
    bias = wrightomega(1 + v) - 1
    # Both terms of the quotient lose all digits at 0, where 1/4 + v/16 holds.
    small = v < 1e-4
    safe = np.where(small, 1.0, v)
    return np.where(small, 0.25 + v / 16, bias**2 / ((1 + bias) * safe * -np.expm1(-safe)))


def performance(
    jsc: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike = ROOM_TEMPERATURE,
    radiative_efficiency: ArrayLike = 1.0,
) -> Performance:
    """A cell with a given photocurrent that recombines as the detailed balance of a gap demands.

    J(V) = Jsc - J0 / Q (exp(qV/kT) - 1), with the external radiative efficiency Q.

    Args:
        jsc: Photocurrent density in mA/cm2, 0 or more; all arguments are broadcast.
        gap: Gap in eV.
        temperature: Of the cell, in K.
        radiative_efficiency: Share of the recombination that leaves the cell as light, above 0 and up to 1.

    Raises:
        ValueError: The photocurrent, the temperature or the radiative efficiency is out of range.
    """
    quality = np.asarray(radiative_efficiency, dtype=np.float64)
    if not np.all((quality > 0) & (quality <= 1)):
        raise ValueError("The external radiative efficiency must be above 0 and at most 1.")
    jsc = np.asarray(jsc, dtype=np.float64)
    if np.any(jsc < 0):
        raise ValueError("The photocurrent must be 0 or more.")
    # No current gives no voltage by way of minus infinity, and NaN passes through.
    with np.errstate(divide="ignore", invalid="ignore"):
        reduced = np.logaddexp(0.0, np.log(jsc) + np.log(quality) - _log_saturation_current(gap, temperature))
    voc = reduced * _BOLTZMANN * np.asarray(temperature, dtype=np.float64)
    fill = fill_factor(reduced)
    jsc = np.broadcast_to(jsc, voc.shape).copy()
    return Performance(jsc, voc, fill, 100 * jsc * voc * fill / incident_power())


def limit(
    gap: ArrayLike, temperature: ArrayLike = ROOM_TEMPERATURE, radiative_efficiency: ArrayLike = 1.0
) -> Performance:
    """The detailed-balance limit of a single junction.

    Args:
        gap: Gaps in eV, of any shape; all arguments are broadcast. A gap of 0 or less is a metal: no current,
            no voltage, efficiency 0. NaN gives NaN. Between 0 and 0.31 eV the photons beyond the spectrum's
            4000 nm are missing.
        temperature: Of the cell, in K.
        radiative_efficiency: External radiative efficiency; the limit proper has 1.

    Raises:
        ValueError: The temperature or the radiative efficiency is out of range.
    """
    return performance(short_circuit_current(gap), gap, temperature, radiative_efficiency)
