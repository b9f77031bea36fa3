"""Design problems of a study: pydantic models of space, targets, constraints, methods and judges."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from nestmat.config.base import Name, Pair, Part, one_of
from nestmat.config.kinds import Choice, KeyedKinds, options_are_checked
from nestmat.config.spaces import DesignSpace
from nestmat.materials.geometry import CELL


class Quantity(Part):
    """A quantity besides those that the scales predict; exactly one of the keys."""

    detailed_balance: str | None = Field(
        None, description="Detailed-balance limit in percent of a quantity that is a gap in eV."
    )
    perovskite: Literal[True] | None = Field(
        None, description="Probability of a perovskite structure, from tau; needs a scale with geometry."
    )
    training_distance: str | None = Field(
        None, description="Distance to the nearest material that the model of this scale was trained on."
    )
    domain: Literal[True] | None = Field(
        None,
        description="Place to the domain of the training data: 0 inside, 1 at its edge, 2 outside.",
    )
    weights: dict[str, float] | None = Field(
        None, description="Sum of a weight by species times its atoms a formula unit: a price, a toxicity."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Quantity:
        one_of(self, tuple(type(self).model_fields))
        return self


class Target(Part):
    """Target for a quantity: `<scale>.<target>`, a geometric criterion or one of the problem."""

    quantity: str = Field(description="Its name.")
    value: float | None = Field(None, description="This value, within the tolerance.")
    between: Pair[float] | None = Field(None, description="A value in this range.")
    goal: Literal["maximise", "minimise"] | None = Field(
        None, description="As much or as little as possible."
    )
    enough: float | None = Field(None, description="goal: how much, or how little, counts as a hit.")
    tolerance: float = Field(
        1.0, gt=0, description="How much of the quantity counts as one, where targets are added."
    )
    sigmas: float | None = Field(
        None,
        ge=0,
        description=(
            "Standard deviations that count against a material; by default 1 where recommended predictors "
            "predict, and 0 where the model alone does."
        ),
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Target:
        if one_of(self, ("value", "between", "goal")) != "goal" and self.enough is not None:
            raise ValueError("Only a target with a goal can have `enough`")
        if self.between and not self.between[0] < self.between[1]:
            raise ValueError("The first number of `between` must be smaller than the second")
        return self


class Constraint(Part):
    """A bound that a quantity has to keep."""

    quantity: str = Field(description="Its name.")
    low: float | None = Field(None, description="Smallest value.")
    high: float | None = Field(None, description="Largest value.")
    sigmas: float = Field(0.0, description="Standard deviations to spare; negative lets uncertain ones pass.")
    tolerance: float = Field(1.0, gt=0, description="How much of the quantity counts as one violation.")
    of: Literal["mean", "std"] = Field("mean", description="Bound the mean, or the standard deviation.")

    @model_validator(mode="after")
    def _bounded(self) -> Constraint:
        if self.low is None and self.high is None:
            raise ValueError("At least one of low and high is needed")
        return self


class Method(Choice):
    """A search method; its other keys are the options of its kind. docs/search.md explains which to use."""

    registry: ClassVar[str] = "nestmat.search.methods.registry:METHODS"

    kind: str = Field(description="Kind of the search method.")
    title: str = Field("", description="Name in tables and figures; the key by default.")
    model: Name | None = Field(
        None, description="generative: the generator of the study whose samples are taken."
    )
    budget: int | None = Field(None, ge=1, description="Its own budget; that of the problem by default.")
    predictor: str = Field(
        "model",
        description=(
            "What is searched: what predicts the problem (`model`), or a judge that learns, such as `trees`, "
            "to see what a search of the judge itself would find."
        ),
    )
    seeds: int | None = Field(None, ge=1, description="Its own number of searches: 1 where nothing is drawn.")

    @model_validator(mode="after")
    def _check_model(self, info: ValidationInfo) -> Method:
        if options_are_checked(info) and self.registered.needs_generator != (self.model is not None):
            raise ValueError("Only methods that sample a generator have its name as `model`, and need it")
        return self


class Judges(KeyedKinds):
    """Judges that the search never saw, trained on the materials that the searched members left out."""

    registry: ClassVar[str] = "nestmat.design.judges.registry:JUDGES"

    @model_validator(mode="after")
    def _check_needs(self, info: ValidationInfo) -> Judges:
        if not self.arguments:
            raise ValueError("At least one judge is needed")
        for kind, judge in self.build_all().items() if options_are_checked(info) else ():
            for needed in judge.needs:
                if needed not in self.arguments:
                    raise ValueError(f"The judge {kind} needs the predictions of {needed}; give {needed} too")
        return self


class ShortlistSpec(Part):
    """The list to go on with: by the members that trained on every material."""

    method: Name = Field(description="Method of the problem that makes it.")
    top: int = Field(20, ge=1, description="Most candidates on the list.")
    apart: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "Least distance between candidates, from 0 to 1, of those that the method keeps: of compositions "
            "the share of the atoms that differ."
        ),
    )


class Verification(Part):
    """DFT of designed materials, by the target `verify`.

    Of a space of sites the best materials that fit into a cell of ten atoms; of a space of cells such of the
    shortlist that are far from each other.
    """

    count: int = Field(12, ge=1, description="Structures to calculate.")
    gap: str | None = Field(None, description="Quantity that is the calculated gap in eV.")
    offset: float = Field(
        0.0,
        description=(
            "Cells: what is added to a calculated gap, in eV, where a calibration found that the gaps of the "
            "data set differ by so much; no gap falls below 0."
        ),
    )
    calibration: list[str] = Field(
        [],
        description=(
            "Cells: calculated rows of the data set, as resources/reference/mos2_calibration.cells.parquet, "
            "to compare with its gaps."
        ),
    )
    lattice: str | None = Field(None, description="Quantity that is the lattice constant in angstrom.")
    formation_energy: str | None = Field(None, description="Quantity that is the formation energy in eV.")
    records: str | None = Field(
        None,
        description=(
            "Records of other calculations with the same settings, as resources/reference/records.parquet; "
            "the formation energies follow from the binary halides among them."
        ),
    )
    file: str | None = Field(
        None,
        description=(
            "Compounds or cells that were calculated, relative to the working directory, to show without "
            "calculating."
        ),
    )


class Retraining(Part):
    """Learn from calculated candidates: train on one half of them, test on the other, and the reverse."""

    file: str = Field(
        description=(
            "Rows of calculated candidates, as those of the data set of the finest scale that predicts."
        )
    )


class ScreeningSpec(Part):
    """Enumerate the whole space and keep the best, by the target `screen`."""

    chunks: int = Field(16, ge=1, le=50, description="Jobs that the space is divided into.")
    keep: int = Field(1000, ge=1, le=10_000_000, description="Best materials to keep.")
    sample: int = Field(10_000, ge=0, le=10_000_000, description="Random materials to keep in addition.")


class Interpolation(Part):
    """Ways from one material to another: through the latents of the searched model, and by mixing."""

    between: Pair[str] = Field(
        description="Formulas of both ends, materials of the space: [MoNbTaW, HfNbTaTiZr]."
    )
    steps: int = Field(21, ge=2, le=1001, description="Materials along a way, both ends among them.")


class DesignProblem(Part):
    """A problem of inverse design: a space, a trained chain, targets, methods and judges."""

    title: str = Field(description="Headline of its chapter.")
    question: str = Field("", description="The question, in a sentence or two.")
    scale: Name = Field(description="Coarsest scale of the chain that predicts.")
    model: Name = Field(description="Model of that scale.")
    predictor: Literal["recommended", "model"] = Field(
        "recommended",
        description=(
            "What predicts: the recommended predictors, where all scales with targets have one, or the model "
            "alone. The methods that are compared search those of the protocol, where their stacks run in it."
        ),
    )
    protocol: Name = Field(
        description=(
            "Shared split: the searched members leave its first fold out, and the judges are trained on that "
            "fold alone."
        )
    )
    space: DesignSpace = Field(description="The materials that may be proposed.")
    quantities: dict[Name, Quantity] = Field(
        {}, description="Quantities besides those that the scales predict."
    )
    targets: list[Target] = Field(min_length=1, description="Targets of the search.")
    constraints: list[Constraint] = Field([], description="What has to hold.")
    prefer_domain: bool | None = Field(
        None,
        description=(
            "Whether materials outside the domain of the training data rank behind all others that keep the "
            "constraints; by default where recommended predictors predict and no constraint bounds it."
        ),
    )
    methods: dict[Name, Method] = Field({}, description="Methods to compare.")
    budget: int = Field(
        20_000, ge=10, le=1_000_000_000, description="Most materials that a method may have predicted."
    )
    seeds: int = Field(5, ge=1, description="Searches of each method.")
    proposals: int = Field(100, ge=1, description="Best candidates of each search that are judged.")
    judges: Judges | None = Field(None, description="Judges of the candidates.")
    shortlist: ShortlistSpec | None = Field(None, description="The list to go on with.")
    verify: Verification | None = Field(None, description="Verification by DFT.")
    retrain: Retraining | None = Field(None, description="Learning from calculated candidates.")
    screen: ScreeningSpec | None = Field(None, description="Screening of the whole space.")
    interpolate: Interpolation | None = Field(
        None, description="Paths from one material to another, in addition to the search."
    )

    def ranks_outside_last(self, recommended: bool) -> bool:
        """Whether materials outside the domain of the training data rank behind the others.

        Args:
            recommended: Whether recommended predictors predict.
        """
        if self.prefer_domain is not None:
            return self.prefer_domain
        verdicts = {name for name, quantity in self.quantities.items() if quantity.domain}
        return recommended and not any(constraint.quantity in verdicts for constraint in self.constraints)

    @property
    def judge_kinds(self) -> list[str]:
        """Kinds of the judges."""
        return list(self.judges.arguments) if self.judges else []

    @property
    def screen_chunks(self) -> list[int]:
        """Numbers of the chunks that the space is screened in."""
        return list(range(self.screen.chunks)) if self.screen else []

    def searched_judges(self, method: str) -> list[str]:
        """The judge that a method searches in place of the trained chain; none elsewhere."""
        return [kind for kind in self.judge_kinds if kind == self.methods[method].predictor]

    @model_validator(mode="after")
    def _references(self) -> DesignProblem:
        if self.methods and self.judges is None:
            raise ValueError("Methods need judges that compare them")
        judges = self.judge_kinds
        for name, method in self.methods.items():
            if method.predictor != "model" and method.predictor not in judges:
                raise ValueError(f"methods.{name}.predictor: {method.predictor!r} is no judge of the problem")
        if self.shortlist and self.shortlist.method not in self.methods:
            raise ValueError(
                f"shortlist.method: {self.shortlist.method!r} is not one of {list(self.methods)}"
            )
        if self.verify:
            self._check_verify(self.verify)
        if self.interpolate and (
            not (self.space.sites or self.space.elements)
            or any(part.value is None for part in self.space.variables.values())
        ):
            raise ValueError(
                "Only a space of sites or of elements whose variables have a value can be interpolated"
            )
        return self

    def _check_verify(self, verify: Verification) -> None:
        if not self.shortlist or not (self.space.sites or self.space.cells):
            raise ValueError(
                "Candidates are verified from a shortlist, of a space of sites or of the variables "
                + ", ".join(CELL)
            )
        of_sites = (verify.lattice, verify.formation_energy, verify.records)
        if self.space.cells and (verify.gap is None or any(of_sites)):
            raise ValueError("verify: Only the gap of cells is calculated; give gap, and nothing else")
        if self.space.cells and verify.count > self.shortlist.top:
            raise ValueError("verify.count: The number exceeds that of candidates in the shortlist")
        if not self.space.cells and (verify.offset or verify.calibration):
            raise ValueError("verify: Only a space of cells can have offset and calibration")
