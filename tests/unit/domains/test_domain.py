"""The domain of a scale: ranges, levels, files, and the worst along a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.domains.domain import Domain, DomainInputs
from nestmat.domains.verdicts import worst_of_chain
from nestmat.errors import InputError

INPUTS = DomainInputs(
    numbers=["strain"],
    levels=["solvent=DMF", "solvent=DMSO", "solvent=GBL"],
    distance=["strain", "solvent=DMF", "solvent=DMSO", "solvent=GBL"],
)


def rows(strains, solvents):
    frame = pd.DataFrame({"strain": np.asarray(strains, dtype=float)})
    for level in INPUTS.levels:
        frame[level] = [float(level == f"solvent={solvent}") for solvent in solvents]
    return frame.assign(material=[f"row {k}" for k in range(len(frame))], formula="")


@pytest.fixture
def domain():
    return Domain.of_rows(
        "gap", rows(np.linspace(-0.05, 0.05, 41), [*["DMF"] * 20, *["DMSO"] * 2, *["DMF"] * 19]), INPUTS
    )


def judged(domain, strain, solvent="DMF"):
    verdicts = domain.of_features(rows([strain], [solvent]))
    return verdicts.words[0], verdicts.reasons[0]


def test_a_number_is_at_the_edge_a_little_beyond_its_range_and_outside_far_beyond(domain):
    assert judged(domain, 0.0505) == ("inside", "")
    assert judged(domain, 0.055) == ("edge", "strain 0.055 is beyond 0.05")
    assert judged(domain, 0.08) == ("outside", "strain 0.08 is beyond 0.05")
    assert judged(domain, -0.08) == ("outside", "strain -0.08 is below -0.05")


def test_a_single_value_has_no_margin():
    single = Domain.of_rows("gap", rows([0.02] * 9, ["DMF"] * 9), INPUTS)
    assert judged(single, 0.02) == ("inside", "")
    assert judged(single, 0.021) == ("outside", "strain 0.021 is not 0.02, the only value that was seen")


def test_levels_are_new_or_rare(domain):
    assert judged(domain, 0.0, "GBL") == ("outside", "solvent GBL was not seen")
    assert judged(domain, 0.0, "DMSO") == ("edge", "solvent DMSO was seen in 2 materials only")


def test_a_domain_is_read_as_it_was_written(domain, tmp_path):
    path = tmp_path / "domains/gap/strict.parquet"
    domain.write(path, dict.fromkeys(INPUTS.distance, tables.Column("float64")), {"protocol": "strict"})
    again = Domain.read(path)
    new = rows(np.linspace(-0.08, 0.08, 50), ["DMF"] * 25 + ["DMSO"] * 25)
    assert again.of_features(new).reasons == domain.of_features(new).reasons
    assert tables.provenance(path)["protocol"] == "strict"


def test_a_study_of_before_is_told_to_run_again(tmp_path):
    with pytest.raises(InputError, match="run before nestmat wrote it") as error:
        Domain.read(tmp_path / "domains/gap/strict.parquet")
    assert "run the study again" in str(error.value)


def test_along_a_chain_the_worst_verdict_counts_and_names_its_scale(domain):
    narrow = Domain.of_rows("cell", rows(np.linspace(-0.02, 0.02, 41), ["DMF"] * 41), INPUTS)
    new = rows([0.0, 0.03, 0.03, 0.08], ["DMF", "DMF", "GBL", "DMF"])
    by_scale = {"cell": narrow.of_features(new), "gap": domain.of_features(new)}
    chain = worst_of_chain("gap", by_scale)
    assert chain.words == ["inside", "outside", "outside", "outside"]
    assert chain.reasons == [
        "",
        "at scale cell strain 0.03 is beyond 0.02",
        "solvent GBL was not seen",
        "strain 0.08 is beyond 0.05",
    ]
