"""Tables of the jobs of a study."""

from __future__ import annotations

from pathlib import Path

from nestmat.config.data_files import DataFile
from nestmat.config.loading import load_study, study_from
from nestmat.data.generator_registry import GENERATORS
from nestmat.data.registry import READS, resolve
from nestmat.paths import RESOURCES, ROOT
from nestmat.plan import tables as jobs
from nestmat.plan.tables import data_files
from support.lead_free_study import lead_free_study
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


def study_with_protocols(**protocols):
    """The small study that searches perovskites, whose baselines of a scale run in some protocols alone."""
    content = lead_free_study()
    for scale, names in protocols.items():
        content["scales"][scale]["baselines"]["ridge"]["protocols"] = names
    return study_from(content)


def test_a_search_uses_stacks_of_both_halves_where_they_run():
    rows = jobs.predictors(study_from(lead_free_study()))
    files = rows[~rows["distilled"]].groupby("use")["path"].apply(set)
    searched = files["searched"] - files["deployed"]
    assert "<results>/models/device/halves/baselines.zip" in searched
    assert "<results>/predictions/electronic/halves/recommended.json" in searched
    assert not any("/strict/" in path for path in searched)
    assert set(rows[rows["distilled"]]["path"]) == {
        f"<results>/search/lead_free/{use}.predictor.safetensors" for use in ("searched", "deployed")
    }


def test_a_stack_that_is_not_of_the_half_is_not_searched():
    assert set(jobs.predictors(study_with_protocols(device=["strict"]))["use"]) == {"deployed"}


def test_the_predictor_in_use_is_not_judged_by_what_it_was_trained_on():
    # Stacks of the halves alone are in use themselves, trained on every row.
    study = study_with_protocols(electronic=["halves"], device=["halves"])
    assert study.scales["device"].predictor_protocol == "halves"
    assert set(jobs.predictors(study)["use"]) == {"deployed"}


def test_the_model_alone_needs_no_other_predictor():
    content = lead_free_study()
    content["search"]["lead_free"]["predictor"] = "model"
    assert jobs.predictors(study_from(content)).empty
