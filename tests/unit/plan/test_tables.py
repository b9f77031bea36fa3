"""Tables of the jobs of a study."""

from __future__ import annotations

from pathlib import Path

from nestmat.config.datasets import DataFile
from nestmat.config.loading import load_study, study_from
from nestmat.data.generator_registry import GENERATORS
from nestmat.data.registry import READS, resolve
from nestmat.paths import RESOURCES, ROOT
from nestmat.plan import tables as jobs
from nestmat.plan.tables import data_files
from support.stacked_study import remote


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


def test_a_published_parquet_file_is_fetched_and_read_under_its_ending():
    files = data_files(study_from(remote()))
    assert files["path"].to_list() == ["downloads/rows-000000000000.parquet"]


def test_each_file_of_a_data_set_is_fetched_from_its_own_address():
    content = remote()
    first = {"url": "https://example.org/x.csv", "sha256": "0" * 64}
    second = {"url": "https://example.org/y.csv", "sha256": "1" * 64}
    content["datasets"]["rows"] |= {**first, "further_files": [second]}
    study = study_from(content)
    files = ["downloads/rows-000000000000.csv", "downloads/rows-111111111111.csv"]
    assert data_files(study)["path"].to_list() == files
    for part in (first, second):
        values = resolve(study.datasets["rows"]).file_to_download(part["sha256"][:12])
        assert DataFile.model_validate(values) == DataFile.model_validate(part)


def test_a_design_problem_reads_the_domains_of_its_scale_and_of_the_finer_ones():
    files = jobs.domains(load_study(ROOT / "config.yaml")).query("problem == 'lead_free'")
    by_use = files.groupby("use")["path"].agg(list)
    scales = ("ionic", "electronic", "device")
    assert by_use["searched"] == [f"<results>/domains/{scale}/halves.parquet" for scale in scales]
    assert by_use["deployed"] == [f"<results>/domains/{scale}/strict.parquet" for scale in scales]
