"""A study is run by one process in a folder; what is dead gives way, what may live does not."""

import json
import os
import subprocess
import sys

import pytest

from nestmat.errors import InputError
from nestmat.plan.claims import FOLDER, claiming, other_runs, read_owner, start_of


def rewrite(folder, **changes):
    """Change the record of a study."""
    file = folder / FOLDER / "s" / "owner.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def dead_process():
    """Id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def left(tmp_path):
    """A folder with the record of a run that is not over."""
    with claiming(tmp_path, "s") as claim:
        claim.is_over = False
    return tmp_path


def test_a_second_run_is_refused_and_names_the_first(tmp_path):
    with claiming(tmp_path, "s"):
        with pytest.raises(InputError, match=rf"study s is running on .* process {os.getpid()}, since 20"):
            claiming(tmp_path, "s").__enter__()
        with pytest.raises(InputError, match="kill"):
            claiming(tmp_path, "s", unlock=True).__enter__()
        with claiming(tmp_path, "other"):
            assert [name for name, _ in other_runs(tmp_path, "s")] == ["other"]
    assert not list((tmp_path / FOLDER).iterdir())


@pytest.mark.parametrize("processes", [lambda: {dead_process(): 1}, lambda: {os.getpid(): 1}])
def test_a_dead_run_gives_way_also_where_its_id_is_used_again(left, processes):
    rewrite(left, processes=processes())
    with claiming(left, "s") as claim:
        assert claim.succeeds_dead_run
        assert read_owner(claim.record).processes == {os.getpid(): start_of(os.getpid())}
    assert not list((left / FOLDER).iterdir())


def test_another_machine_is_named_and_believed_dead_on_demand_alone(left):
    rewrite(left, host="login2", processes={7: 1})
    with pytest.raises(InputError, match=r"machine login2, as process 7, since .* --unlock"):
        claiming(left, "s").__enter__()
    with claiming(left, "s", unlock=True) as claim:
        assert claim.succeeds_dead_run


def test_a_record_that_cannot_be_read_is_not_taken_for_dead(left):
    (left / FOLDER / "s" / "owner.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        claiming(left, "s").__enter__()
    with claiming(left, "s", unlock=True):
        pass


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_of(child.pid) is None
    child.wait()
    assert start_of(os.getpid()) is not None
