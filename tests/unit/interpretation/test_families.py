from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nestmat import tables
from nestmat.config.interpretation import AlloyFamilies
from nestmat.errors import InputError
from nestmat.interpretation.families import encode_families, equimolar
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Training
from nestmat.paths import ROOT
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.checkpoints import Trained
from support.alloy_tables import NAMES, scale, write_alloys, write_folds
from support.trained_alloys import MODEL


def test_families_are_all_choices_of_elements():
    families = AlloyFamilies(of=2, elements={"first": ["Fe", "Ni", "Cr"], "second": ["Co", "Al"]})
    found = equimolar(families)
    assert found["formula"].tolist() == ["FeNi", "FeCr", "NiCr", "CoAl"]
    assert found["family"].tolist() == ["first"] * 3 + ["second"]
    assert found["row_id"].is_unique
    for elements in (["Fe"], ["Fe", "Fe"]):
        with pytest.raises(ValidationError, match="needs 2 different elements"):
            AlloyFamilies(of=2, elements={"first": elements})


def shares_only(folder: Path) -> tuple[Path, Path]:
    """A model whose classifier reads the shares too, so that any formula can be encoded."""
    data = replace(scale(), y={"phase": scale().y["phase"]})
    specification = replace(
        MODEL,
        inputs=("shares",),
        classifier=("shares",),
        training=Training(epochs=5, learning_rate=0.01),
    )
    features = write_alloys(folder, data)
    files = {name: folder / f"{name}.parquet" for name in ("history", "predictions", "latents")}
    train_scale(
        TrainingJob(
            key=ModelKey("alloys", "half", "m2"),
            specification=specification,
            features=features,
            folds=write_folds(folder, data),
            weights=folder / "m2.safetensors",
            card=folder / "m2.json",
            **files,
        )
    )
    return folder / "m2.safetensors", features


def test_families_are_encoded_as_rows_of_the_same_formula_are(tmp_path):
    weights, features = shares_only(tmp_path)
    families = {"of": 3, "elements": {"all": NAMES, "some": ["Fe", "Ni", "Cr"]}}
    blocks = {"alloys": {"shares": {"elements": NAMES}}}
    encode_families(
        {"alloys": weights}, {"alloys": features}, blocks, families, tmp_path / "families.parquet"
    )
    found = tables.read(tmp_path / "families.parquet")
    assert found.groupby("family").size().to_dict() == {"all": 10, "some": 1}
    model = Trained.load(weights)
    [member] = model.members.query("repeat == 0 and fold == 0").index
    x = np.zeros((1, 5))
    x[0, [0, 1, 2]] = 1 / 3
    z, _ = model.apply({"shares": x}, np.array([member]))
    same = found[found["formula"] == "FeNiCr"][["z0", "z1", "z2", "z3"]].to_numpy()
    np.testing.assert_allclose(same, np.repeat(z[0], 2, axis=0), atol=1e-6)
    families["elements"]["foreign"] = ["Fe", "Ni", "Au"]
    with pytest.raises(InputError, match=r"interpret\.families.*AuFeNi|interpret\.families.*FeNiAu"):
        encode_families(
            {"alloys": weights}, {"alloys": features}, blocks, families, tmp_path / "families.parquet"
        )


def test_families_need_a_semi_supervised_model():
    import yaml

    from nestmat.config.loading import study_from

    content = yaml.safe_load((ROOT / "resources/studies/dvae_hea.yaml").read_text())
    phase = content["scales"]["phase"]
    specification = phase["models"]["as_published"]["specification"]
    for key in ("kind", "composition", "classifier", "roots"):
        del specification[key]
    specification["heads"]["shares"]["loss"] = "cross_entropy"
    phase["interpret"]["model"] = "as_published"
    with pytest.raises(InputError, match="families: Only models of the kind semi_supervised"):
        study_from({**content, "search": {}})
