"""Protocols: which rows train, which are predicted, and what can leak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels.scales import Labels
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("protocols")
class Protocols(Section):
    """The protocols of each scale."""

    part, title, collected = "scales", "Protocols", True

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Every protocol of the scale."""
        labels = Labels(source.study, name)
        return {
            "title": labels.title(),
            "protocols": [
                {"label": labels.protocol(protocol), **describe_protocol(source.study, name, protocol)}
                for protocol in labels.config.protocols
            ],
        }


def describe_protocol(study: Study, scale: str, protocol: str) -> dict[str, Any]:
    """What a protocol does with the rows of a scale, and where the latents of its parents come from.

    Returns:
        ``split`` (its kind with the options), ``target`` (the first, if any), ``of_publication``, and
        ``parents``: their titles, and whether their members were trained on all rows.
    """
    config = study.scales[scale]
    settings = config.splits.get(protocol, study.strict)
    split = settings.build()
    return {
        "split": split,
        "target": config.targets[0] if config.targets else "",
        "of_publication": settings.published,
        "parents": [
            {
                "title": Labels(study, parent).title(),
                "trained_on_all": study.parent_protocol(parent, protocol) == "strict",
            }
            for parent in config.parents
            if not split.is_shared
        ],
    }
