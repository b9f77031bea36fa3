from __future__ import annotations

import pytest

from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.evaluation.metrics import TOTAL_VARIATION
from nestmat.labels import comparisons
from nestmat.report.findings import latents
from support.report_text import section_html, section_text, table_cells
from support.trained_alloys import labels


def test_the_section_shows_compositions_and_the_probe(trained, tmp_path):
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
