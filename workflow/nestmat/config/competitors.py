"""What models and baselines of a scale have in common."""

from __future__ import annotations

from pydantic import Field

from nestmat.config.base import Part


class Competitor(Part):
    """A model or a baseline of a scale, which are compared with each other."""

    title: str = Field("", description="Name in tables and figures; the key by default.")
    protocols: list[str] | None = Field(
        None, description="Protocols it runs in; all of the scale by default."
    )
    published: str | None = Field(None, description="Name of the model in the published numbers.")
