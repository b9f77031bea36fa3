"""What the latents of a scale hold: figures alone."""

from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section


@SECTIONS.register("interpretation")
class Interpretation(Section):
    """Correlations, attributions and maps of the interpreted model."""

    part, title = "scales", "Interpretation"
    template = "{# figures alone #}"
