"""Applicability domain of training materials."""

from __future__ import annotations

import numpy as np

from nestmat.design.domain import ApplicabilityDomain


def test_a_domain_holds_most_of_what_it_was_made_of():
    random = np.random.default_rng(0)
    known = random.normal(size=(400, 3)) * [1.0, 10.0, 0.1]
    domain = ApplicabilityDomain(known)
    again = random.normal(size=(400, 3)) * [1.0, 10.0, 0.1]
    inside = (domain.log_density(again) >= domain.threshold).mean()
    assert 0.9 < inside < 1.0
    assert (domain.log_density(again + np.array([6.0, 0, 0])) < domain.threshold).all()
