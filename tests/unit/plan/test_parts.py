import pytest

from nestmat.commands.validate import DESCRIPTIONS
from nestmat.config.loading import load_study
from nestmat.config.parts import BUILT_IN_PARTS
from nestmat.config.study import Study
from nestmat.paths import ROOT
from nestmat.plan.parts import RULES, predictor_results, rule_files


def test_every_part_of_the_library_has_rules_and_a_description():
    assert set(RULES) == set(DESCRIPTIONS) == set(BUILT_IN_PARTS)
    assert set(BUILT_IN_PARTS) <= set(Study.model_fields)
    assert all((ROOT / "rules" / f"{name}.smk").is_file() for names in RULES.values() for name in names)


@pytest.mark.parametrize(
    ("study", "rules"),
    [
        ("nested_functions", ["data", "features", "scales", "evaluation", "pool"]),
        ("dvae_hea", ["data", "features", "scales", "evaluation", "pool", "search", "verification"]),
    ],
)
def test_a_study_has_the_rules_of_its_parts_alone(study, rules):
    files = rule_files(load_study(ROOT / f"resources/studies/{study}.yaml"), "rules")
    assert files == [f"rules/{name}.smk" for name in rules]


def test_scales_whose_predictor_has_baselines_keep_their_fits():
    study = load_study(ROOT / "config.yaml")
    files = [f"models/{scale}/strict/baselines.zip" for scale in ("electronic", "device")]
    files += [f"domains/{scale}/strict.parquet" for scale in ("ionic", "electronic", "device")]
    assert predictor_results(study) == files
    for scale in ("electronic", "device"):
        assert study.scales[scale].kept_baselines("strict") == ["gaussian_process"]
        # A search reads the stack of the first half.
        assert study.scales[scale].kept_baselines("halves") == ["gaussian_process"]
