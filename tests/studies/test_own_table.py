"""A user's own table, from the header to the report, through the command line alone."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import cli, tables
from support.first_study import report_first_study
from support.running import snakemake

pytestmark = pytest.mark.slow


def choose_members(study, scale):
    scale["baselines"] = {"ridge": scale["baselines"]["ridge"]}
    scale["recommended"]["stack"] = ["nestmat", "ridge"]
    study["strict"] = {"folds": 3}
    study["tracking"] = "off"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of its own with a table of 40 materials, two of them unusable, and its finished study."""
    folder = tmp_path_factory.mktemp("own")
    rng = random.Random(1)
    lines = ["formula,density,phase,gap"]
    for i in range(38):
        x = rng.randrange(1, 100) / 100
        phase = "cubic" if i % 2 else "tetragonal"
        lines.append(f"CsPbI{3 - 3 * x:.2f}Br{3 * x:.2f},{4 + x:.3f},{phase},{1.7 + 0.6 * x:.3f}")
    lines += ["CsPbQq3,4.1,cubic,1.8", "CsPbI3,,cubic,1.73"]
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    columns = ["--formula", "formula", "--target", "gap:eV"]
    report_first_study(folder, columns, choose_members, epochs=20, seeds=1)
    return folder


def test_every_row_is_kept_or_rejected_with_its_line_and_reason(folder):
    kept = tables.read(folder / "results/mine/features/materials.parquet")
    rejects = tables.read(folder / "results/mine/data/materials.rejects.parquet")
    assert len(kept) == 38
    assert list(zip(rejects["row"], rejects["column"], rejects["value"], strict=True)) == [
        (40, "formula", "CsPbQq3"),
        (41, "density", ""),
    ]


def test_the_report_shows_the_error_of_every_model_in_the_unit_of_the_target(folder):
    metrics = tables.read(folder / "results/mine/metrics/materials.parquet", metric="mae", split="validation")
    assert set(metrics["model"]) == {"nestmat", "ridge", "recommended"}
    assert set(metrics["unit"]) == {"eV"}
    report = (folder / "results/mine/report.html").read_text()
    for text in ("mine.csv", "CsPbQq3", "nestmat head", "Ridge", "eV"):
        assert text in report


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_new_materials_are_predicted_from_csv_and_parquet(folder, monkeypatch, ending):
    monkeypatch.chdir(folder)
    new = pd.DataFrame({"formula": ["CsPbI3", "CsPbQq3"], "density": [4.5, 4.5], "phase": "cubic"})
    new.to_csv("new.csv", index=False)
    new.to_parquet("new.parquet")
    arguments = [
        "predict",
        "--study",
        "mine.yaml",
        "--input",
        f"new.{ending}",
        "--output",
        f"{ending}.parquet",
    ]
    assert cli.main(arguments) == 0
    first = 2 if ending == "csv" else 1
    assert tables.read(folder / f"{ending}.parquet")["row"].tolist() == [first]
    assert tables.read(folder / f"{ending}.rejects.parquet")["row"].tolist() == [first + 1]


def predict(*arguments: str) -> int:
    return cli.main(
        [
            "predict",
            "--study",
            "mine.yaml",
            "--input",
            "mine.csv",
            "--output",
            "o.parquet",
            "--long",
            "--overwrite",
            *arguments,
        ]
    )


def test_training_rows_are_predicted_as_by_the_stack_in_the_report(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert predict() == 0
    again = tables.read("o.parquet").set_index("row").sort_index()
    recommended = tables.read("results/mine/predictions/materials/strict/recommended.parquet", fold=-1)
    # The header is line 1.
    before = recommended.assign(row=recommended["row_id"] + 2).set_index("row").sort_index()
    np.testing.assert_allclose(again["mean"], before["mean"], rtol=1e-6)
    # A spread of members that agree in most digits has fewer of float32 itself.
    np.testing.assert_allclose(again["std"], before["std"], rtol=1e-5)


def test_rows_outside_the_domain_are_counted_and_say_why(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    formulas = ["CsPbI2Br", "RbPbI2Br", "Cs0.5Rb0.5PbI2Br", "CsPbI2Br"]
    new = pd.DataFrame({"formula": formulas, "density": [4.5, 4.5, 4.5, 9.0], "phase": "cubic"})
    new.to_csv("domain.csv", index=False)
    call = ["predict", "--study", "mine.yaml", "--input", "domain.csv", "--output", "domain.parquet"]
    assert cli.main(call) == 0
    rows = tables.read("domain.parquet").set_index("row")
    assert rows["domain"].tolist() == ["inside", "outside", "outside", "outside"]
    assert rows["reason"].tolist()[:3] == ["", *["Rb was not seen on site A"] * 2]
    assert rows["reason"][5].startswith("density 9 is beyond 4.9")
    assert capsys.readouterr().out.endswith(
        "Rows outside the domain of the training data: 3 of 4 at materials\n"
    )


def test_the_report_holds_errors_by_domain(folder):
    errors = tables.read(
        folder / "results/mine/domains/materials.parquet", metric="rows", model="recommended"
    )
    assert errors["value"].sum() == 38
    assert "Domain of the training data" in (folder / "results/mine/report.html").read_text()


def test_results_without_a_domain_ask_for_another_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    domain = Path("results/mine/domains/materials/strict.parquet")
    content = domain.read_bytes()
    domain.unlink()
    try:
        assert predict() == 2
        assert "run before nestmat wrote it" in capsys.readouterr().err
    finally:
        domain.write_bytes(content)


def test_without_the_fitted_baselines_nothing_is_fitted_but_asked_for(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    fits = Path("results/mine/models/materials/strict/baselines.zip")
    content = fits.read_bytes()
    fits.unlink()
    try:
        assert predict() == 2
        assert "baselines.zip: The file does not exist" in capsys.readouterr().err
    finally:
        fits.write_bytes(content)


def test_a_second_run_does_nothing(folder):
    assert "Nothing to be done" in snakemake(folder, configfile="mine.yaml")
