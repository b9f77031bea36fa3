"""Search in a pool of labelled rows: pydantic models of what is sought, and of how rows are described."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nestmat.config.base import Name, Part, Seed


class PoolLatents(Part):
    """Latents of a trained model for the rows of the pool, by its members that were trained on every row."""

    scale: Name = Field(description="The scale itself, or one of its parents.")
    model: str = Field(description="Model of that scale.")
    protocol: str = Field("strict", description="Protocol that the model runs in.")


class Representation(Part):
    """How the rows of a pool are described to the search: feature blocks, latents, or both."""

    title: str = Field("", description="Name for people; the key by default.")
    blocks: list[Name] = Field([], description="Feature blocks of the scale.")
    latents: PoolLatents | None = Field(None, description="Latents of a trained model.")
    published: str | None = Field(None, description="Name of the representation in the published numbers.")

    @model_validator(mode="after")
    def _describes_rows(self) -> Representation:
        if not self.blocks and self.latents is None:
            raise ValueError("At least one of blocks and latents is needed")
        return self


class PoolSearch(Part):
    """How soon Bayesian search finds the best row of the scale, when it sees labels one by one."""

    target: str = Field(description="Target of the scale whose best value is sought.")
    goal: Literal["maximise", "minimise"] = Field("maximise", description="What is best.")
    start: float = Field(
        0.04, gt=0, lt=1, description="Share of the rows whose labels are known before; never the best row."
    )
    bins: int = Field(5, gt=0, description="Quantile bins of the target that the start rows are spread over.")
    picks: int = Field(100, gt=0, description="Most labels that a search may ask for.")
    trials: int = Field(200, gt=1, description="Searches, each from other start rows.")
    refit: int = Field(10, gt=0, description="Labels after which hyperparameters are fitted again.")
    batches: list[int] = Field([1], min_length=1, description="Labels asked for at a time; each is tried.")
    as_published: bool = Field(
        False, description="Search in the way of the publication too; docs/search-in-the-pool.md has it."
    )
    seed: Seed = Field(0, description="Seed of all that is drawn.")
    representations: dict[Name, Representation] = Field(
        min_length=1, description="Representations by name; the others are compared with the first."
    )

    @model_validator(mode="after")
    def _sensible(self) -> PoolSearch:
        if min(self.batches) < 1 or len(set(self.batches)) < len(self.batches):
            raise ValueError("The batches are not whole numbers from 1, each once")
        if "random" in self.representations:
            raise ValueError("representations.random: The name is that of the random order; choose another")
        return self
