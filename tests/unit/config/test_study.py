"""What a study is checked for before anything runs."""

from __future__ import annotations

from copy import deepcopy

import pytest

from nestmat.commands.validate import check_columns
from nestmat.config.loading import study_from
from nestmat.data.targets import class_targets, number_targets
from nestmat.errors import InputError
from support.class_scale import CLASSES, class_configuration
from support.running import snakemake, write_study
from support.stacked_study import configuration, model, remote


def test_members_and_their_parents_serve_a_stack_where_it_runs():
    study = study_from(configuration())
    assert study.serves_stack("coarse", "nested", "strict")
    assert study.serves_stack("fine", "nested", "strict")
    assert not study.serves_stack("coarse", "alone", "strict")
    # The ridge regression keeps the stack out of this protocol.
    assert not study.serves_stack("coarse", "nested", "by_kind")
    assert not study.serves_stack("fine", "nested", "by_kind")
    assert study.scales["coarse"].stacked_in("strict") == ["nested", "ridge"]
    assert study.scales["coarse"].stacked_in("by_kind") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s["scales"]["coarse"]["models"]["nested"]["specification"].update(joint=True),
            r"scales.coarse.recommended.stack: 'nested' is trained jointly",
        ),
        (
            lambda s: s["scales"]["fine"]["features"].update(y={"columns": ["x"]}),
            r"scales.fine: The names \['y'\] are used twice",
        ),
        (
            lambda s: s["datasets"]["rows"].update(generator={"kind": "nested_functions", "scale": 1}),
            "Exactly one of url, file, generator",
        ),
    ],
)
def test_what_cannot_work_is_refused(change, message):
    content = configuration()
    change(content)
    with pytest.raises(InputError, match=message):
        study_from(content)


def three_scales(**coarsest) -> dict:
    """The study with a third scale, which takes predictions."""
    content = configuration()
    coarse = content["scales"]["coarse"]
    third = {
        **deepcopy(coarse),
        "parents": ["coarse"],
        "pass_prediction": True,
        "models": {"nested": model("y", "inputs", "coarse")},
        "recommended": None,
    }
    content["scales"]["third"] = third | coarsest
    return content


def test_predictions_are_passed_to_the_scale_that_asks_for_them():
    study = study_from(three_scales())
    passed = {
        (parent, child): study.takes_prediction(parent, child)
        for parent, child in (("fine", "coarse"), ("coarse", "third"), ("fine", "third"))
    }
    # Between fine and third stands coarse, which was trained without the prediction of fine.
    assert passed == {("fine", "coarse"): False, ("coarse", "third"): True, ("fine", "third"): False}
    with pytest.raises(InputError, match="coarse and third read 'fine' with different pass_prediction"):
        study_from(three_scales(parents=["coarse", "fine"]))


@pytest.mark.slow
def test_a_study_of_a_published_parquet_file_can_be_planned(tmp_path):
    write_study(tmp_path, remote())
    assert "downloads/rows-000000000000.parquet" in snakemake(tmp_path, "--dry-run")


def test_a_shared_split_is_the_same_along_the_chain():
    data = configuration()
    halves = {"kind": "shared", "folds": 2}
    data["scales"]["coarse"]["splits"]["halves"] = halves
    data["scales"]["coarse"]["baselines"]["ridge"]["protocols"] = ["strict"]
    with pytest.raises(InputError, match="The parent 'fine' lacks this shared split"):
        study_from(data)
    data["scales"]["fine"]["splits"]["halves"] = {**halves, "seed": 1}
    with pytest.raises(InputError, match="same settings at every scale"):
        study_from(data)
    data["scales"]["fine"]["splits"]["halves"] = halves
    assert study_from(data).scales["coarse"].protocols == ["strict", "by_kind", "halves"]


def test_a_vote_of_classes_needs_no_held_out_predictions():
    study = study_from(class_configuration())
    assert class_targets(study, "s") == {"phase": CLASSES}
    assert number_targets(study, "s") == []
    check_columns(study)
    assert not study.serves_stack("s", "ae", "half")
    learned = class_configuration()
    learned["scales"]["s"]["recommended"]["weights"] = "learned"
    assert study_from(learned).serves_stack("s", "ae", "half")


def test_a_taught_model_is_no_member_of_a_stack_whose_weights_are_learned():
    config = class_configuration()
    scale = config["scales"]["s"]
    scale["features"]["shares"] = {"elements": ["Al", "Ni"]}
    scale["models"]["ae"]["specification"] = {
        "inputs": ["shares", "inputs"],
        "encoder": {"latents": 2},
        "heads": {"phase": {"loss": "binary_cross_entropy"}, "shares": {"loss": "multinomial"}},
        "kind": "semi_supervised",
        "composition": "shares",
        "classifier": ["inputs"],
        "teacher": "rule",
    }
    study_from(config)
    # The teacher learned from the rows that the weights would be learned on.
    scale["recommended"]["weights"] = "learned"
    with pytest.raises(InputError, match=r"teacher.*give the stack equal weights"):
        study_from(config)
    scale["models"]["ae"]["specification"]["teacher"] = None
    study_from(config)


def test_the_number_of_elements_is_no_name_for_a_block():
    data = class_configuration()
    data["scales"]["s"]["features"]["number_of_elements"] = {"columns": ["a"]}
    with pytest.raises(InputError, match="is built in"):
        study_from(data)
