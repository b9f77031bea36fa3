from __future__ import annotations

import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.labels.scales import Labels
from nestmat.report.findings.strata import strata_tables
from support.device_study import device_configuration
from support.report_text import section_html, table_cells


@pytest.mark.parametrize("classes", [(), ("no", "yes")])
def test_strata_are_told_of_numbers_and_of_classes(classes):
    study = device_configuration()
    study["scales"]["gap"]["strata"] = {"light": {"column": "A_MASS", "high": 60, "title": "Light ions"}}
    unit = "" if classes else "eV"
    labels = Labels(study_from(study), "gap", {"Gap": tables.Column("float64", unit=unit, classes=classes)})
    values = (
        {"accuracy": 0.8, "roc_auc": 0.9, "majority_rate": 0.6} if classes else {"mae": 0.25, "rmse": 0.5}
    )
    rows = [
        {
            "protocol": "strict",
            "model": "ridge",
            "stratum": "light",
            "repeat": 0,
            "metric": metric,
            "value": value,
        }
        for metric, value in {**values, "rows": 40.0}.items()
    ]
    [table] = strata_tables(pd.DataFrame(rows).assign(target="Gap"), labels, "Gap")
    target = {
        "of_class": bool(classes),
        "tables": [],
        "strata": [table],
        "uncertainty": None,
        "by_seed": [],
    }
    variables = {"targets": {"Gap": target}, "citations": []}
    markup = section_html("results", variables)
    if classes:
        assert table_cells(markup) == [
            ["Model", "Light ions: accuracy", "AUC"],
            ["Ridge", "0.800", "0.900"],
        ]
        assert "Light ions: 40 rows, more frequent class 0.600" in markup
    else:
        assert table_cells(markup) == [["Model", "Light ions: MAE (eV)"], ["Ridge", "0.250"]]
        assert "Light ions: 40 rows." in markup
    assert '<tr class="baseline">' in markup
