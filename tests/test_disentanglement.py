"""What latents keep, families of alloys, and Shapley values of single rows, on a small trained model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from alloy_tables import NAMES, scale, write_alloys, write_folds
from pydantic import ValidationError
from report_text import section_html, section_text, table_cells

from nestmat import tables
from nestmat.config.interpretation import AlloyFamilies
from nestmat.errors import InputError
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.evaluation.metrics import PROBE, PROBE_WHITENED, TOTAL_VARIATION
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.interpretation.attribution import sampled_shapley_values, shapley_values
from nestmat.interpretation.disentanglement import (
    LATENT_ERRORS,
    measure_latents,
    probe,
    total_variation,
    whiten,
)
from nestmat.interpretation.families import encode_families, equimolar
from nestmat.interpretation.interpret import OUTPUTS, Effort, interpret_scale
from nestmat.interpretation.members import InterpretedModel
from nestmat.interpretation.shapley import ATTRIBUTIONS
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.labels.text import latent_symbol
from nestmat.models.keys import ModelKey
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Encoder, Head, Training
from nestmat.paths import ROOT
from nestmat.report.findings import latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.checkpoints import Trained

SEEDS = 2
MODEL = SemiSupervisedSpecification(
    inputs=("shares", "evidence"),
    initialisation="lecun",
    encoder=Encoder(latents=3, hidden=(12,)),
    heads={
        "phase": Head(hidden=(12,), loss="binary_cross_entropy", weight=20.0),
        "shares": Head(hidden=(12,), loss="presence"),
    },
    composition="shares",
    classifier=("evidence",),
    training=Training(epochs=60, batch_size=16, learning_rate=0.01, seeds=SEEDS),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a trained model, its tables, and what is measured of its latents."""
    torch.set_num_threads(1)
    folder, data = tmp_path_factory.mktemp("alloys"), scale()
    data = replace(data, y={"phase": data.y["phase"]})
    files = {name: folder / f"{name}.parquet" for name in ("history", "predictions", "latents")}
    write_alloys(folder, data)
    train_scale(
        TrainingJob(
            key=ModelKey("alloys", "half", "m2"),
            specification=MODEL,
            features=folder / "alloys.parquet",
            folds=write_folds(folder, data),
            weights=folder / "m2.safetensors",
            card=folder / "m2.json",
            **files,
        )
    )
    measure_latents(
        folder / "m2.safetensors",
        folder / "alloys.parquet",
        folder / "latents.parquet",
        folder / "metrics.parquet",
        folder / "errors.parquet",
    )
    return folder


# compositions and probe


def test_total_variation_counts_atoms_that_are_wrong():
    true = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    given = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(total_variation(true, given), [20, 100, 0])


def test_measured_errors_are_those_of_encoding_and_decoding(trained):
    model, errors = Trained.load(trained / "m2.safetensors"), tables.read(trained / "errors.parquet")
    assert tables.schema(trained / "errors.parquet") == dict(LATENT_ERRORS)
    features = tables.read(trained / "alloys.parquet").set_index("row_id")
    latents = tables.read(trained / "latents.parquet")
    assert set(errors["split"]) == {"train", "unlabelled", "validation"}
    for (repeat, seed), mine in errors.groupby(["repeat", "seed"]):
        [member] = model.members.query(f"repeat == {repeat} and fold == 0 and seed == {seed}").index
        rows = latents[latents["member"] == member].set_index("row_id").loc[mine["row_id"]]
        z = torch.from_numpy(rows[["z0", "z1", "z2", "z3"]].to_numpy(np.float32))[None]
        net = model.network(np.array([member]))
        with torch.no_grad():
            given = net.decode(z)["shares"]
            likely = (z[..., 3:] >= 0.5).float()
            again = net.place(given, likely)
        true = features.loc[mine["row_id"], NAMES].to_numpy()
        wrong = 50 * np.abs(true - given[0].numpy()).sum(axis=1)
        np.testing.assert_allclose(mine["total_variation"], wrong, atol=1e-4)
        moved = (again - z)[0, :, :3].abs().mean(dim=1)
        np.testing.assert_allclose(mine["latent_error"], moved, atol=1e-5)
    assert errors["total_variation"].mean() < 20


def test_metrics_are_means_over_seeds_and_folds(trained):
    metrics, errors = tables.read(trained / "metrics.parquet"), tables.read(trained / "errors.parquet")
    assert tables.schema(trained / "metrics.parquet") == dict(tables.METRICS)
    assert set(metrics["seed"]) == {-1}
    mine = metrics[metrics["metric"] == TOTAL_VARIATION].set_index(["repeat", "fold", "split"])
    assert set(mine["target"]) == {"shares"}
    assert set(mine["unit"]) == {"at%"}
    expected = errors.groupby(["repeat", "split"])["total_variation"].mean()
    for (repeat, split), value in expected.items():
        assert mine.loc[(repeat, 0, split), "value"] == pytest.approx(value)
        assert mine.loc[(repeat, -1, split), "value"] == pytest.approx(value)
    told = metrics[metrics["metric"].isin([PROBE, PROBE_WHITENED])]
    assert set(told["target"]) == {"phase"}
    assert set(told["split"]) == {"train", "validation"}
    assert len(told) == 2 * 2 * 2 * 2
    assert not metrics.duplicated([c for c in metrics if c != "value"]).any()


def test_the_probe_finds_what_z_tells_and_nothing_else():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400).astype(float)
    train = np.arange(400) < 250
    blind = probe(rng.normal(size=(400, 3)), label, train, ~train)
    seeing = probe(rng.normal(size=(400, 3)) + 4 * label[:, None], label, train, ~train)
    for split in ("train", "validation"):
        assert abs(blind[split] - 0.5) < 0.12
        assert seeing[split] > 0.95


def test_whitening_shows_what_hides_in_a_small_direction():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400).astype(float)
    train = np.arange(400) < 250
    common = 50 * rng.normal(size=400)
    told = 4 * label + rng.normal(size=400)
    z = np.stack([common, common + told, np.zeros(400)], axis=1)
    assert probe(z, label, train, ~train)["validation"] < 0.65
    seen = whiten(z, train)
    assert seen.shape == (400, 2)
    np.testing.assert_allclose(np.cov(seen[train].T, bias=True), np.eye(2), atol=1e-8)
    assert probe(seen, label, train, ~train)["validation"] > 0.9


def test_a_probe_of_few_rows_says_what_it_can():
    z, label = np.arange(8.0)[:, None], np.array([0, 0, 0, 0, 0, 0, 0, 1.0])
    train = np.arange(8) < 7
    found = probe(z, label, train, ~train)
    assert found["validation"] == 0
    assert np.isnan(found["train"])
    assert np.isnan(probe(z, label, train, np.zeros(8, bool))["validation"])


def test_latents_of_other_rows_are_named(trained, tmp_path):
    features, schema = tables.read(trained / "alloys.parquet"), tables.schema(trained / "alloys.parquet")
    more = pd.concat([features, features.iloc[:1].assign(row_id=1000)])
    facts = tables.provenance(trained / "alloys.parquet")
    tables.write(tmp_path / "more.parquet", more, schema, facts)
    outputs = tmp_path / "metrics.parquet", tmp_path / "errors.parquet"
    with pytest.raises(InputError, match="lacks rows of the features"):
        measure_latents(
            trained / "m2.safetensors", tmp_path / "more.parquet", trained / "latents.parquet", *outputs
        )


# the report


def labels(folder: Path) -> Labels:
    entry = SimpleNamespace(title="disentangled VAE", specification=MODEL)
    split = SimpleNamespace(kind="holdout", published=False)
    config = SimpleNamespace(
        models={"m2": entry},
        baselines={},
        protocols=["half"],
        splits={"half": split},
        targets=["phase"],
        features={},
        interpret=SimpleNamespace(model="m2"),
    )
    study = SimpleNamespace(scales={"alloys": config})
    return Labels(study, "alloys", tables.schema(folder / "alloys.parquet"))


def test_the_report_tells_of_decoded_compositions_and_the_probe(trained, tmp_path):
    evaluation = Evaluation(
        "alloys",
        trained / "alloys.parquet",
        [trained / "predictions.parquet"],
        latents=[trained / "metrics.parquet"],
    )
    found = evaluate_scale(evaluation, {"metrics": tmp_path / "metrics.parquet"})
    metrics = found["metrics"]
    one = labels(trained)
    summary = comparisons.summary(metrics)
    [composition] = latents.composition_table(summary, one)
    [probes] = latents.probe_tables(summary, one)
    wrong = metrics[(metrics["metric"] == TOTAL_VARIATION) & (metrics["fold"] == 0)]
    wrong = wrong.groupby("split")["value"].mean()
    assert (composition["model"], composition["protocol"]) == ("disentangled VAE", "Half")
    for cell, split in zip(composition["cells"], ("train", "unlabelled", "validation"), strict=True):
        assert cell["mean"] == pytest.approx(wrong[split], rel=0.01)
    [row] = probes["rows"]
    assert all(0 < cell["mean"] <= 1 for cell in row["cells"])
    variables = {
        "probes": {"phase": latents.first_probes(summary, one, "phase")},
        "compositions": [composition],
        "probe_tables": [probes],
    }
    of_compositions, of_probes = table_cells(section_html("disentanglement", variables))[1::2]
    assert of_compositions[2].startswith(f"{wrong['train']:.3f}"[:4])
    assert len(of_probes) == 8
    text = section_text("disentanglement", variables, "summary", "phase")
    assert "Disentangled VAE decodes its latents to compositions that are off by" in text
    assert f"{of_probes[2]}, in z made uncorrelated" in text
    accuracy = comparisons.summary(metrics[metrics["metric"] == "accuracy"])
    assert latents.composition_table(accuracy, one) == latents.probe_tables(accuracy, one) == []


# families


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


# attributions


def test_sampled_shapley_values_tend_to_the_exact_ones():
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(6, 5)), rng.normal(size=(40, 5))
    groups = {"a": [0], "b": [1, 3], "c": [2], "d": [4]}

    def function(v):
        return np.stack(
            [np.tanh(v[:, 0] * v[:, 1]) + v[:, 2] ** 2 - 0.5 * v[:, 0] * v[:, 3], v[:, 4]], axis=1
        )

    exact = shapley_values(function, x, background, groups)
    found = sampled_shapley_values(function, x, background, groups, orders=4000, seed=0)
    assert found.shape == exact.shape == (6, 4, 2)
    np.testing.assert_allclose(found, exact, atol=0.06)
    # Of a sum nothing depends on the order: background rows alone are drawn.
    one = sampled_shapley_values(function, x, background[:1], groups, orders=1, seed=0)[..., 1]
    np.testing.assert_allclose(one[:, 3], x[:, 4] - background[0, 4])
    assert (one[:, :3] == 0).all()


def test_sampling_in_chunks_changes_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))

    def function(v):
        return (v[:, :1] * v[:, 1:2]) ** 2

    whole = sampled_shapley_values(function, x, background, orders=5, seed=1)
    monkeypatch.setattr("nestmat.interpretation.attribution.CHUNK", 25)
    np.testing.assert_allclose(sampled_shapley_values(function, x, background, orders=5, seed=1), whole)
    sums = whole.sum(axis=1)
    assert np.isfinite(sums).all()


@pytest.fixture(scope="module")
def interpreted(trained) -> pd.DataFrame:
    files = (trained / name for name in ("m2.safetensors", "alloys.parquet", "latents.parquet"))
    outputs = {name: trained / f"{name}.parquet" for name in OUTPUTS}
    interpret_scale(InterpretedModel(*files), Effort(permutations=99, background=16), outputs)
    return tables.read(trained / "attributions.parquet")


def test_attributions_of_rows_explain_the_probability(trained, interpreted):
    assert tables.schema(trained / "attributions.parquet") == dict(ATTRIBUTIONS)
    assert set(interpreted["input"]) == {"shares", "size", "charge", "order"}
    assert set(interpreted["target"]) == {"phase"}
    # The classifier does not read the shares, and those of a block have no one level.
    shares = interpreted[interpreted["input"] == "shares"]
    assert shares["value"].abs().max() < 1e-12
    assert shares["level"].isna().all()
    others = interpreted[interpreted["input"] != "shares"]
    assert others["level"].between(0, 1).all()
    predicted = tables.read(trained / "predictions.parquet", repeat=0, fold=0, seed=-1, split="validation")
    sums = interpreted.groupby("row_id")["value"].sum()
    predicted = predicted.set_index("row_id")["mean"]
    # Sums are the probability less its mean over the background, which is the same for all rows.
    left = predicted - sums.loc[predicted.index]
    assert left.std() < 1e-5
    assert 0 < left.mean() < 1


# figures


def frames(folder: Path, **names: str) -> dict[str, pd.DataFrame]:
    return {key: tables.read(folder / f"{name}.parquet") for key, name in names.items()}


@pytest.fixture
def shown(trained) -> Labels:
    return labels(trained)


def test_latents_are_drawn_by_class_and_families_in_the_same_plane(trained, shown):
    latents = tables.read(trained / "latents.parquet", repeat=0, fold=0, seed=0)
    features = tables.read(trained / "alloys.parquet")
    with style.sheet():
        figure = FIGURES["latent_space"].draw({"latents": latents, "features": features}, shown)
        points = [len(part.get_offsets()) for ax in figure.axes for part in ax.collections]
        assert sum(points[:2]) == 40
        assert sum(points[2:]) == 15
        assert [ax.get_title(loc="left") for ax in figure.axes] == [
            "Labelled (40 rows)",
            "Left out (15 rows)",
        ]
        families = latents.iloc[:6].assign(family=["a", "a", "b", "b", "b", "c"])
        drawn = FIGURES["families"].draw({"latents": latents, "families": families}, shown)
    [ax] = drawn.axes
    assert [len(part.get_offsets()) for part in ax.collections] == [40, 2, 3, 1]
    # An alloy that is a labelled row lies on it.
    labelled = latents[latents["split"] == "train"].reset_index(drop=True)
    again = FIGURES["families"].draw({"latents": latents, "families": labelled.assign(family="all")}, shown)
    grey, dots = again.axes[0].collections
    np.testing.assert_allclose(grey.get_offsets(), dots.get_offsets())


def test_errors_are_counted_by_the_number_of_elements(trained, shown):
    given = frames(trained, errors="errors", predictions="predictions", features="alloys")
    given["errors"] = given["errors"][given["errors"]["split"] == "validation"]
    chosen = given["predictions"]
    given["predictions"] = chosen[(chosen["split"] == "validation") & (chosen["seed"] == -1)]
    with style.sheet():
        figure = FIGURES["latent_errors"].draw(given, shown)
    heights = [
        sum(part.get_height() for container in ax.containers for part in container) for ax in figure.axes
    ]
    # Stacked: the boxes of a bin add up.
    assert heights == [2 * 15 * SEEDS, 2 * 15, 2 * 15 * SEEDS]
    assert figure.legends[0].get_title().get_text() == "Elements of the material"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2", "3", "4"]


def test_the_beeswarm_says_which_side_is_which_class(trained, interpreted, shown):
    given = {"attributions": interpreted, "features": tables.read(trained / "alloys.parquet")}
    with style.sheet():
        figure = FIGURES["beeswarm"].draw(given, shown)
    ax = figure.axes[0]
    assert ax.get_title(loc="center") == "several ← → single"
    names = [label.get_text() for label in ax.get_yticklabels()]
    strength = interpreted.groupby("input")["value"].apply(lambda v: v.abs().mean()).sort_values()
    assert names == [name.capitalize() for name in strength.index if name != "shares"]
    assert "single" in ax.get_xlabel()


def test_latents_behind_z_are_called_y(shown):
    assert shown.latent("z2") == latent_symbol("z2")
    assert shown.latent("z3") == "y"


def test_the_shipped_study_has_the_figures_of_its_kind():
    from nestmat.config.loading import load_study
    from nestmat.figures.drawing import available

    study = load_study(ROOT / "resources/studies/dvae_hea.yaml")
    kinds = {kind for subject, kind in available(study) if subject == "phase"}
    assert {"latent_space", "families", "latent_errors", "beeswarm", "shapley"} <= kinds
    assert "maps" not in kinds
    other = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    assert not {kind for _, kind in available(other)} & {
        "latent_space",
        "families",
        "latent_errors",
        "beeswarm",
    }


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
    with pytest.raises(InputError, match="families: goes with a model of the kind semi_supervised"):
        study_from({**content, "search": {}})
