"""A design problem of solar absorbers, with keys that a test may change."""

from __future__ import annotations

from nestmat.config.loading import study_from
from nestmat.labels.problems import DesignLabels
from support.device_study import device_configuration


def labels_of(**changes) -> DesignLabels:
    """Names of the problem with some keys changed; a key of None is left out."""
    content = device_configuration()
    problem = {**content["search"]["absorbers"], **changes}
    content["search"] = {"absorbers": {key: given for key, given in problem.items() if given is not None}}
    return DesignLabels.of(study_from(content), "absorbers")
