"""Studies read from files: plug-ins, options, and messages that name the key."""

import pytest
import yaml

from nestmat.config.loading import load_study, study_from
from nestmat.config.yaml_files import load_yaml
from nestmat.errors import InputError
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.paths import ROOT

STUDY = ROOT / "resources/studies/nestedae_pce.yaml"
PLUGIN = """
from dataclasses import dataclass

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


@BASELINES.register("median")
@dataclass(frozen=True)
class Median(BaselineKind):
    '''Median of the training rows.

    Attributes:
        share: Quantile.
    '''

    share: float = 0.5

    def regressor(self, seed):
        from sklearn.dummy import DummyRegressor

        return DummyRegressor(strategy="quantile", quantile=self.share)
"""


@pytest.fixture
def content():
    return yaml.safe_load(STUDY.read_text(encoding="utf-8"))


@pytest.fixture
def _without_median_afterwards():
    yield
    for entries in (BASELINES._entries, BASELINES._files):
        entries.pop("median", None)


@pytest.mark.usefixtures("_without_median_afterwards")
def test_a_plugin_adds_a_kind_with_its_options(content, tmp_path):
    (tmp_path / "median_of_rows.py").write_text(PLUGIN)
    [name, scale] = [(name, scale) for name, scale in content["scales"].items() if scale["targets"]][-1]
    median = {"kind": "median", "inputs": [next(iter(scale["features"]))], "share": 0.4}
    scale["baselines"]["median"] = median
    with pytest.raises(InputError, match=rf"scales\.{name}\.baselines\.median\.kind: There is no baseline"):
        study_from(content)
    content["plugins"] = [str(tmp_path / "median_of_rows.py")]
    study = study_from(content)
    assert study.scales[name].baselines["median"].build().share == 0.4
    median["shares"] = 1
    with pytest.raises(InputError, match=rf"{name}\.baselines\.median\.shares: .* Did you mean 'share'"):
        study_from(content)


def test_a_plugin_that_is_not_there_is_named(content, tmp_path):
    content["plugins"] = [str(tmp_path / "lost.py")]
    with pytest.raises(InputError, match=r"lost\.py.* does not exist"):
        study_from(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- a\n", "is not a mapping"),
        ("a: [", "is not YAML"),
        ("study: s\ntitle: a\nstudy: t\n", "line 3, column 1: the key 'study' occurs twice"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: 2024-99-99", "month must be in 1"),
        ("a: " + 1_000_000 * "b", "has more than 1,000,000 bytes"),
        ("a: &a [" + "0, " * 999 + "]\nb: &b [" + "*a, " * 999 + "]", "repeats itself"),
        ("a: &a [*a]", "repeats itself"),
        ("\udcff\udcfe", "is not text in UTF-8: byte 0"),
        ("study: s\nplugins: [3]\n", r"plugins\.0: Input should be a valid string"),
    ],
)
def test_files_that_hold_no_study_are_named(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message) as caught:
        load_study(path)
    assert caught.value.file == path


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("folds", "5", "strict.folds: Input should be a valid integer"),
        ("folds", True, "strict.folds: Input should be a valid integer"),
        ("folds", 5.0, "strict.folds: Input should be a valid integer"),
        ("folds", 10**6, "strict.folds: Input should be less than or equal to 1000"),
        ("seed", -1, "strict.seed: Input should be greater than or equal to 0"),
        ("seed", 10**30, "key 'strict.seed': The whole number is too large"),
        ("repeats", [1, True], "strict.repeats.1: Input should be a valid integer"),
    ],
)
def test_whole_numbers_are_whole_and_bounded(key, value, message):
    config = load_yaml(ROOT / "resources/studies/nested_functions.yaml")
    config["strict"] = {key: value}
    with pytest.raises(InputError, match=message):
        study_from(config)


@pytest.mark.parametrize("name", ["recommended", "baselines"])
def test_names_of_other_predictions_are_refused(name):
    config = load_yaml(ROOT / "resources/studies/nested_functions.yaml")
    scale = next(iter(config["scales"].values()))
    scale["models"][name] = next(iter(scale["models"].values()))
    with pytest.raises(InputError, match=f"The name '{name}' is one that nestmat uses itself"):
        study_from(config)
