from __future__ import annotations

import pytest

from nestmat.data import published
from nestmat.report.findings.published import best_published


def test_published_scores_are_better_where_higher():
    frame = published.load(["dvae"])
    held = frame[frame["split"] == "validation"]
    assert set(held["metric"]) == {"accuracy", "roc_auc", "f1", "log_loss", "brier"}
    found = sorted(held.loc[held["metric"] == "accuracy", "value"])
    # Shares of 138 test rows.
    assert found == pytest.approx([120 / 138, 121 / 138], abs=5e-4)
    best = best_published(frame, "single_phase", "published", "accuracy")
    assert best["model"] == "DVAE"
    least = best_published(frame, "single_phase", "published", "brier")
    assert least["value"] == 0.106
    printed = held[held["citation"].str.startswith("Recomputed")]["metric"]
    assert "accuracy" not in set(printed)
