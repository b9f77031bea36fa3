"""How training went: figures alone."""

from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section


@SECTIONS.register("training")
class Training(Section):
    """Learning curves and sweeps of the latent size."""

    part, title = "scales", "Training"
    template = "{# figures alone #}"
