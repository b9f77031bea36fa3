from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from nestmat import seals
from nestmat.config.baselines import Baseline
from nestmat.errors import InputError
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.fitted_baselines import CONTENTS, dump_fit, read_fits, write_fits
from nestmat.plugins import load_plugins

TRAINED_WITH = 80
SMALL = {"lasso": {"alphas": 5}, "mlp": {"hidden_layer_sizes": [4]}}
PLUGIN = """
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from nestmat.evaluation.estimators.base import BaselineKind
from nestmat.evaluation.estimators.registry import BASELINES


class Median(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        self.median_ = np.median(y)
        return self

    def predict(self, x):
        return np.full(len(x), self.median_)


@BASELINES.register("test_median")
@dataclass(frozen=True)
class MedianKind(BaselineKind):
    \"\"\"Median of the training rows.\"\"\"

    def regressor(self, seed):
        return Median()
"""


def rows(classes: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(TRAINED_WITH, 3))
    y = x[:, 0] + rng.normal(0, 0.3, TRAINED_WITH)
    return x, (y > 0).astype(float) if classes else y


def fitted(baseline: Baseline, classes: bool = False):
    return baseline.build().fit(*rows(classes), 0, classes)


@pytest.mark.parametrize("name", sorted(name for name in BASELINES if BASELINES[name].predicts_classes()))
def test_three_classes_are_told_apart_also_after_reading(name, tmp_path):
    baseline = baseline_of(name)
    kind, (x, y) = baseline.build(), rows()
    classes = np.digitize(y, [-0.4, 0.4]).astype(float)
    model, path = kind.fit(x, classes, 0, classes=True), tmp_path / "b.zip"
    write_fits(path, {"b": baseline}, {("b", "y"): dump_fit(baseline, model)})
    again = read_fits(path, {"b": baseline})["b"]["y"]
    probabilities = kind.probabilities(model, x)
    np.testing.assert_allclose(kind.probabilities(again, x), probabilities, atol=1e-12)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    right = (probabilities.argmax(axis=1) == classes).mean()
    # The network of this test is too small to learn much.
    assert right > (0.3 if name in ("mean", "mlp") else 0.5)


def baseline_of(kind: str) -> Baseline:
    return Baseline.model_validate({"kind": kind, "inputs": ["a"], **SMALL.get(kind, {})})


def archive(path, kind: str = "ridge") -> dict[str, Baseline]:
    """Write an archive of one fit; return its baselines."""
    baseline = baseline_of(kind)
    write_fits(path, {"b": baseline}, {("b", "y"): dump_fit(baseline, fitted(baseline))})
    return {"b": baseline}


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        (name, classes)
        for name in sorted(BASELINES)
        for classes in (False, True)
        if BASELINES[name].predicts(classes)
    ],
)
def test_every_kind_predicts_the_same_after_reading(name, classes, tmp_path):
    baseline = baseline_of(name)
    kind = baseline.build()
    model, path = fitted(baseline, classes), tmp_path / "b.zip"
    write_fits(path, {"b": baseline}, {("b", "y"): dump_fit(baseline, model)})
    again = read_fits(path, {"b": baseline})["b"]["y"]
    x = np.random.default_rng(1).normal(size=(50, 3))
    for before, after in zip(kind.predict(model, x, classes), kind.predict(again, x, classes), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_a_logarithm_of_the_target_is_kept(tmp_path):
    baseline, (x, y) = baseline_of("ridge"), rows()
    model = baseline.build().fit(x, np.exp(y), 0, transform="log")
    write_fits(tmp_path / "b.zip", {"b": baseline}, {("b", "y"): dump_fit(baseline, model)})
    again = read_fits(tmp_path / "b.zip", {"b": baseline})["b"]["y"]
    np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-12)


def test_a_class_of_a_plugin_is_read_back(tmp_path):
    file = tmp_path / "test_median_plugin.py"
    file.write_text(PLUGIN)
    load_plugins([file])
    baselines = archive(tmp_path / "b.zip", "test_median")
    model = read_fits(tmp_path / "b.zip", baselines)["b"]["y"]
    np.testing.assert_allclose(model.predict(rows()[0][:2]), np.median(rows()[1]))


class Foreign(RegressorMixin, BaseEstimator):
    def fit(self, x, y):
        return self


def test_a_type_that_no_kind_states_is_neither_kept_nor_read(tmp_path, monkeypatch):
    ridge, forest = baseline_of("ridge"), baseline_of("extra_trees")
    with pytest.raises(
        InputError, match=r"does not state: .*\.Foreign\. Remedy: name them in `stored_types`"
    ):
        dump_fit(ridge, Foreign())
    trees = dump_fit(forest, fitted(forest))
    with pytest.raises(InputError, match=r"sklearn\.tree\._tree\.Tree"):
        dump_fit(ridge, fitted(forest))
    write_fits(tmp_path / "b.zip", {"b": ridge}, {("b", "y"): trees})
    with pytest.raises(InputError, match=r"cannot be read: Untrusted.*run the study again"):
        read_fits(tmp_path / "b.zip", {"b": ridge})


def test_what_is_no_state_cannot_be_kept():
    model = fitted(baseline_of("ridge"))
    model.stream = (number for number in range(3))
    with pytest.raises(InputError, match="'ridge' cannot be stored"):
        dump_fit(baseline_of("ridge"), model)


def test_a_missing_file_is_one_message(tmp_path):
    with pytest.raises(InputError, match=r"does not exist.*run the study"):
        read_fits(tmp_path / "b.zip", {"b": baseline_of("ridge")})


def test_the_same_fits_are_the_same_bytes(tmp_path):
    archive(tmp_path / "a.zip", "extra_trees")
    keep_places_in_memory = [archive(tmp_path / "b.zip", "extra_trees") for _ in range(2)]
    assert keep_places_in_memory
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "text"])
def test_a_damaged_file_is_one_message(tmp_path, damage):
    path = tmp_path / "b.zip"
    baselines = archive(path)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "empty": b"",
            "half": content[:middle],
            "flipped": content[:middle]
            + bytes(255 - byte for byte in content[middle : middle + 9])
            + content[middle + 9 :],
            "text": b"no archive",
        }[damage]
    )
    with pytest.raises(InputError, match=r"damaged.*nestmat report") as caught:
        read_fits(path, baselines)
    assert caught.value.file == path


def test_a_baseline_that_is_not_held_is_named(tmp_path):
    baselines = archive(tmp_path / "b.zip")
    with pytest.raises(InputError, match="does not hold the baseline 'other'"):
        read_fits(tmp_path / "b.zip", {**baselines, "other": baselines["b"]})
    write_fits(tmp_path / "none.zip", {}, {})
    assert read_fits(tmp_path / "none.zip", {}) == {}


def test_other_options_are_refused(tmp_path):
    archive(tmp_path / "b.zip")
    other = Baseline.model_validate({"kind": "ridge", "inputs": ["a"], "alphas": [1.0]})
    with pytest.raises(InputError, match="with other options than those of the study"):
        read_fits(tmp_path / "b.zip", {"b": other})


def test_other_versions_are_refused(tmp_path):
    baselines = archive(tmp_path / "b.zip", "extra_trees")
    with zipfile.ZipFile(tmp_path / "b.zip") as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        contents = json.loads(old.read(CONTENTS))
        contents["fits"][0]["packages"]["sklearn"] = "0.1"
        new.writestr(CONTENTS, json.dumps(contents))
        new.writestr("0.skops", old.read("0.skops"))
        new.comment = f"{seals.KEY}: {seals.BLANK}".encode()
    seals.seal(tmp_path / "new.zip")
    with pytest.raises(
        InputError, match=r"fitted with sklearn 0\.1, and .* is installed.*run the study again"
    ):
        read_fits(tmp_path / "new.zip", baselines)
