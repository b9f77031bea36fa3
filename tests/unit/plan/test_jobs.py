from types import SimpleNamespace

from nestmat.config.scales import Scale
from nestmat.plan.jobs import ask, feature_memory, feature_threads


def scale(**blocks):
    return Scale(dataset="rows", features={"x": {"columns": ["x"]}, **blocks}, models={})


def test_the_study_is_asked_with_the_wildcards_of_a_job():
    study = SimpleNamespace(serves_stack=lambda scale, model: f"{scale}/{model}")
    answer = ask(study, "serves_stack", "scale", "model")
    assert answer(SimpleNamespace(model="nested", scale="cell", protocol="strict")) == "cell/nested"


def test_the_first_wildcard_names_the_entry_that_is_asked():
    plain, site = scale(), scale(y={"columns": ["y"]})
    answer = ask({"plain": plain, "site": site}, "block_kinds", "child")
    assert answer(SimpleNamespace(child="plain")) == ["columns"]
    assert answer(SimpleNamespace(child="site")) == ["columns", "columns"]
    runs = ask({"plain": plain}, "predictions_in", "child", "protocol")
    assert runs(SimpleNamespace(child="plain", protocol="strict")) == []


def test_matminer_gets_processes_and_the_memory_for_them():
    assert feature_threads(scale()) == 1
    assert feature_threads(scale(slow={"matminer": {"WenAlloys": {}}})) == 4
    assert feature_memory(None, 4, attempt=1) > 1.5 * feature_memory(None, 1, attempt=1)
