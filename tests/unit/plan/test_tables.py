"""Tables of the jobs of a study."""

from __future__ import annotations

from pathlib import Path

from nestmat.config.loading import study_from
from nestmat.data.generator_registry import GENERATORS
from nestmat.data.registry import READS
from nestmat.paths import RESOURCES
from nestmat.plan import tables as jobs


def test_rules_know_the_files_that_generators_read():
    study = {
        "study": "s",
        "title": "t",
        "question": "q",
        "datasets": {
            name: {"title": name, "generator": {"kind": name, **options}, "columns": {}}
            for name, options in {"perovskite_devices": {}, "nested_functions": {"scale": 1}}.items()
        },
        "scales": {},
    }
    study = study_from(study)
    [read] = jobs.generator_files(study).itertuples()
    assert read.dataset == "perovskite_devices"
    assert Path(read.path).resolve() == RESOURCES / "reference" / "calculations.parquet"
    assert jobs.data_files(study)["path"].to_list() == [
        "<results>/data/perovskite_devices.generated.parquet",
        "<results>/data/nested_functions.generated.parquet",
    ]
    assert set(READS) <= set(GENERATORS)
