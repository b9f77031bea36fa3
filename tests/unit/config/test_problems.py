"""Design problems of a study: what is refused, and by which key."""

from __future__ import annotations

import pytest

from nestmat.config.loading import study_from
from nestmat.errors import InputError
from support.lead_free_study import lead_free_study


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "cell"}, "is not one of"),
        ({"model": "other"}, "is not a model of the scale"),
        ({"protocol": "strict"}, "is not a shared split"),
        ({"targets": [{"quantity": "device.gap", "goal": "maximise"}]}, "is not one of"),
        ({"targets": [{"quantity": "device.pce"}]}, "Exactly one of value, between, goal"),
        ({"constraints": [{"quantity": "tau"}]}, "At least one of low and high is needed"),
        ({"judges": None}, "need judges"),
        ({"shortlist": {"method": "luck"}}, "is not one of"),
    ],
)
def test_faulty_problems_are_told_by_their_key(change, message):
    data = lead_free_study()
    data["search"]["lead_free"] |= change
    with pytest.raises(InputError, match=message):
        study_from(data)


def test_materials_outside_the_domain_rank_last_where_recommended_predictors_predict():
    def ranks_outside_last(recommended, **keys):
        data = lead_free_study()
        data["search"]["lead_free"] |= keys
        return study_from(data).search["lead_free"].ranks_outside_last(recommended)

    bounded = {"quantities": {"place": {"domain": True}, "limit": {"detailed_balance": "electronic.gap"}}}
    bounded["constraints"] = [{"quantity": "place", "high": 1}]
    assert ranks_outside_last(True)
    assert not ranks_outside_last(False)
    assert not ranks_outside_last(True, prefer_domain=False)
    assert ranks_outside_last(False, prefer_domain=True)
    assert not ranks_outside_last(True, **bounded)
    assert ranks_outside_last(True, **bounded, prefer_domain=True)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"targets": [{"quantity": "device.pce", "goal": "maximise", "sigmas": 1}]}, r"targets\[0\].sigmas"),
        ({"constraints": [{"quantity": "limit", "low": 20, "sigmas": 1}]}, r"constraints\[0\].sigmas"),
        ({"constraints": [{"quantity": "electronic.gap", "high": 0.1, "of": "std"}]}, r"constraints\[0\].of"),
    ],
)
def test_a_spread_that_no_model_states_is_not_asked_for(change, place):
    data = lead_free_study()
    for scale in data["scales"].values():
        training = scale["models"]["nested"]["specification"]["training"]
        scale["models"]["nested"]["specification"]["training"] = training | {"seeds": 1}
    plain = {"constraints": [], "targets": [{"quantity": "device.pce", "goal": "maximise"}]}
    data["search"]["lead_free"] |= plain | change
    study_from(data)
    data["search"]["lead_free"]["predictor"] = "model"
    with pytest.raises(InputError, match=f"{place}.*states no standard deviation"):
        study_from(data)
    for scale in data["scales"].values():
        heads = scale["models"]["nested"]["specification"]["heads"]
        heads |= {target: {"hidden": [16], "loss": "gaussian_nll"} for target in scale["targets"]}
    study_from(data)


def test_a_problem_is_not_called_like_a_scale():
    data = lead_free_study()
    data["search"]["device"] = data["search"].pop("lead_free")
    with pytest.raises(InputError, match="The name is that of a scale"):
        study_from(data)


def test_a_searched_model_does_not_read_whole_compositions():
    data = lead_free_study()
    scale = data["scales"]["electronic"]
    scale["features"]["magpie"] = {"composition": "magpie"}
    scale["models"]["nested"]["specification"]["inputs"].append("magpie")
    with pytest.raises(InputError, match="'magpie' describes whole compositions"):
        study_from(data)
