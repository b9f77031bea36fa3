from __future__ import annotations

from nestmat import tables
from nestmat.interpretation.correlations import CORRELATIONS
from nestmat.interpretation.interpret import Effort, interpret_scale
from nestmat.interpretation.shapley import SHAPLEY
from support.trained_toy import model_in


def test_interpret_scale_writes_the_same_again(folder, tmp_path):
    written = []
    for run in ("first", "second"):
        outputs = {name: tmp_path / run / f"{name}.parquet" for name in ("correlations", "shapley")}
        interpret_scale(model_in(folder), Effort(permutations=99, background=8), outputs)
        written.append([path.read_bytes() for path in outputs.values()])
    assert written[0] == written[1]
    assert tables.schema(outputs["correlations"]) == dict(CORRELATIONS)
    assert tables.schema(outputs["shapley"]) == dict(SHAPLEY)
    assert tables.provenance(outputs["shapley"])["model"] == "toy"
