from __future__ import annotations

import random
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pandas as pd
import pytest
import yaml

from nestmat import cli
from nestmat.commands import validate as overview
from nestmat.commands.predict import _input_spec, prediction_lines
from nestmat.config.loading import load_study, study_from
from nestmat.errors import InputError


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A user's CSV file in the working directory: 60 mixed-halide perovskites, five without density."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    lines = ["id,formula,density,phase,note,gap (eV)"]
    for i in range(60):
        x = rng.randrange(1, 100) / 100
        density = "" if i % 12 == 0 else f"{4 + x + rng.uniform(-0.2, 0.2):.3f}"
        phase = "cubic" if x < 0.5 else "tetragonal"
        lines.append(
            f"{i + 1},CsPbI{3 - 3 * x:.2f}Br{3 * x:.2f},{density},{phase},note {i},{1.7 + 0.6 * x:.3f}"
        )
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def _new(*more):
    return cli.main(["new", "mine", "--data", "mine.csv", "--formula", "formula", *more])


def test_new_writes_a_valid_study_and_says_what_the_header_gave(table, capsys):
    assert _new("--target", "gap (eV):eV") == 0
    study = load_study("mine.yaml")
    scale = study.scales["materials"]
    columns = study.datasets["materials"].columns
    assert scale.targets == ["gap (eV)"]
    assert columns["gap (eV)"].unit == "eV"
    assert columns["gap (eV)"].label
    # The index and the notes are left out; numbers and categories are taken.
    assert set(columns) == {"gap (eV)", "density", "phase"}
    assert scale.features["descriptors"].columns == ["density"]
    assert scale.features["is_phase"].one_hot == "phase"
    assert scale.features["perovskite"].build().argument
    # Caesium and lead alone are on their sites: their fractions say nothing.
    assert [block.build().argument for name, block in scale.features.items() if name in "ABX"] == ["X"]
    assert "empty in 5 rows" in (table.parent / "mine.yaml").read_text()
    capsys.readouterr()

    assert cli.main(["validate", "mine.yaml", "--no-plan"]) == 0
    told = capsys.readouterr().out
    assert "55 of 60 rows usable" in told
    assert "rejected: density is missing (5 rows, the first is 2)" in told
    # 4 seeds x (5 folds + all rows) + 2 seeds x (10 pairs of folds + 5 regions)
    assert "54 in strict" in told


def test_new_takes_the_features_asked_for_and_renames_what_nestmat_reserves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(
        "row,A,on,y\n" + "".join(f"{i * i},{i % 7},{i % 5},{i}.5\n" for i in range(60))
    )
    assert cli.main(["new", "s", "--data", "t.csv", "--target", "y", "--features", "row, A,on"]) == 0
    study = load_study("s.yaml")
    columns = study.datasets["materials"].columns
    assert columns["row_"].header == "row"
    assert columns["A_"].header == "A"
    assert study.scales["materials"].features["descriptors"].columns == ["row_", "A_", "on"]
    assert cli.main(["validate", "s.yaml", "--no-plan"]) == 0


def test_new_reads_parquet_as_it_reads_csv(table, capsys):
    frame = pd.read_csv(table, encoding="utf-8-sig")
    frame.to_parquet(table.parent / "mine.parquet")
    arguments = ["--formula", "formula", "--target", "gap (eV):eV"]
    for name, data in (("of_csv", "mine.csv"), ("of_parquet", "mine.parquet")):
        assert cli.main(["new", name, "--data", data, *arguments]) == 0
    one, other = ((table.parent / f"{name}.yaml").read_text() for name in ("of_csv", "of_parquet"))
    assert one.replace("mine.csv", "mine.parquet").replace("of_csv", "of_parquet") == other
    assert cli.main(["validate", "of_parquet.yaml", "--no-plan"]) == 0
    assert "55 of 60 rows usable" in capsys.readouterr().out
    inputs = [
        _input_spec(load_study("of_csv.yaml"), ["materials"], Path(f"mine.{e}"), {})
        for e in ("csv", "parquet")
    ]
    assert inputs[0].columns == inputs[1].columns
    assert {"density", "phase"} == set(inputs[1].columns)
    (table.parent / "mine.parquet").write_bytes(table.read_bytes())
    assert cli.main(["new", "again", "--data", "mine.parquet", *arguments]) == 2
    assert "not a readable Parquet table" in capsys.readouterr().err


def test_new_never_overwrites(table, capsys):
    (table.parent / "mine.yaml").write_text("precious")
    assert _new("--target", "gap (eV)") == 2
    assert "exists already" in capsys.readouterr().err
    assert (table.parent / "mine.yaml").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "gap"], "has no column"),
        (["--target", "note"], "not numbers"),
        (["--target", "gap (eV)", "--features", "densty"], "did you mean 'density'"),
        (["--target", "gap (eV)", "--features", "note"], "neither numbers nor a few categories"),
        (["--target", "gap (eV)", "--features", "formula"], "cannot be a feature"),
    ],
)
def test_new_names_the_fault_and_leaves_no_file(table, capsys, arguments, message):
    assert _new(*arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "mine.csv" in told
    assert not (table.parent / "mine.yaml").exists()


@pytest.mark.parametrize("content", [None, "", ",,\n", "a,b\n", "a,a\n1,2\n", "a,b\n\xff\n"])
def test_new_with_an_unusable_file(tmp_path, monkeypatch, capsys, content):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    assert cli.main(["new", "s", "--data", "t.csv", "--target", "a"]) == 2
    assert "t.csv" in capsys.readouterr().err
    assert not (tmp_path / "s.yaml").exists()


def _edited(table, edit):
    _new("--target", "gap (eV):eV")
    content = yaml.safe_load((table.parent / "mine.yaml").read_text())
    edit(content)
    (table.parent / "mine.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("edit", "messages"),
    [
        (lambda s: s.update(scals={}), ["mine.yaml", "scals", "misspelt"]),
        (
            lambda s: s["scales"]["materials"]["features"]["descriptors"].update(columns=["densty"]),
            ["scales.materials.features.descriptors.columns", "did you mean 'density'"],
        ),
        (
            lambda s: s["scales"]["materials"]["features"]["descriptors"].update(columns=["phase"]),
            ["kind category"],
        ),
        (lambda s: s["datasets"]["materials"].pop("formula"), ["needs a chemical formula"]),
        (lambda s: s["scales"]["materials"]["recommended"].update(inner_folds=2), ["inner_folds"]),
        (
            lambda s: s["scales"]["materials"]["models"]["nestmat"]["specification"].update(joint=True),
            ["specification.joint", "No parent"],
        ),
        (lambda s: s["scales"]["materials"].update(targets=[]), ["scales.materials"]),
        (
            lambda s: s["scales"]["materials"]["targets"].append("density"),
            ["recommended.stack", "no head for ['density']"],
        ),
        (lambda s: s["datasets"]["materials"].update(file="lost.csv"), ["lost.csv", "does not exist"]),
        (
            lambda s: s["datasets"]["materials"]["columns"].update(mass={}),
            ["mine.csv", "'mass'", "has no column"],
        ),
    ],
)
def test_validate_tells_file_and_key_in_one_message(table, capsys, edit, messages):
    _edited(table, edit)
    capsys.readouterr()
    assert cli.main(["validate", "mine.yaml", "--no-plan"]) == 2
    told = capsys.readouterr().err
    assert told.count("Error:") == 1
    assert "Traceback" not in told
    for message in messages:
        assert message in told


def test_validate_counts_leave_one_out_folds_by_the_levels_of_the_column(table, capsys):
    def edit(study):
        study["scales"]["materials"]["splits"] = {"by_phase": {"kind": "leave_one_out", "column": "phase"}}
        del study["scales"]["materials"]["recommended"]

    _edited(table, edit)
    assert cli.main(["validate", "mine.yaml", "--no-plan"]) == 0
    # 4 seeds x (2 phases + all rows)
    assert "12 in by_phase" in capsys.readouterr().out


def test_a_column_of_two_levels_is_enough_for_a_stack(table, capsys):
    def edit(study):
        study["scales"]["materials"]["splits"] = {"by_phase": {"kind": "leave_one_out", "column": "phase"}}

    _edited(table, edit)
    assert cli.main(["validate", "mine.yaml", "--no-plan"]) == 0
    # 4 seeds x (2 levels + all rows) + 2 seeds x 2 levels x (4 inner folds + 2 regions)
    assert "36 in by_phase" in capsys.readouterr().out


def test_predict_needs_results_and_input(table, capsys):
    _new("--target", "gap (eV):eV")
    call = ["predict", "--study", "mine.yaml", "--input", "new.csv", "--output", "out.parquet"]
    assert cli.main(call) == 2
    assert "has not been run" in capsys.readouterr().err
    (table.parent / "results/mine").mkdir(parents=True)
    assert cli.main(call) == 2
    assert "new.csv" in capsys.readouterr().err


def test_predict_hands_study_results_and_paths_to_the_chain(table, monkeypatch, capsys):
    _new("--target", "gap (eV):eV")
    (table.parent / "results/mine").mkdir(parents=True)
    calls, written = [], []
    prediction = types.SimpleNamespace(
        rows=60,
        rejects=[1],
        remarks=["The mark ';' stands between the cells."],
        count_classes=lambda: {"phase": {"several phases": 20, "single phase": 40}},
        count_outside=lambda: {"materials": (7, 60)},
    )
    module = types.SimpleNamespace(
        predict=lambda *arguments: calls.append(arguments) or prediction,
        write_prediction=lambda *arguments: written.append(arguments),
        check_rejects_file=lambda *arguments: None,
        prediction_lines=prediction_lines,
    )
    monkeypatch.setitem(sys.modules, "nestmat.commands.predict", module)
    (table.parent / "new.csv").write_bytes(table.read_bytes())
    call = ["predict", "--study", "mine.yaml", "--input", "new.csv", "--output", "out.parquet"]
    assert cli.main(call) == 0
    [(study, *paths, scale)] = calls
    assert (study.study, *map(str, paths)) == ("mine", "results/mine", "new.csv")
    assert scale is None
    assert written == [(prediction, Path("out.parquet"), False)]
    told = capsys.readouterr().out
    assert "Note: The mark ';' stands between the cells.\nout.parquet: 60 rows predicted\n" in told
    assert "phase: 20 several phases, 40 single phase\n" in told
    assert "out.rejects.parquet: 1 rows rejected" in told
    assert told.endswith("Rows outside the domain of the training data: 7 of 60 at materials\n")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("new.csv", "would replace the input"),
        ("./results/../new.csv", "would replace the input"),
        ("link.csv", "would replace a file of the study, datasets.materials.file"),
        ("mine.csv", "would replace a file of the study, datasets.materials.file"),
        ("results/mine/out.csv", "would be among the results"),
        ("old.csv", "exists already"),
        ("out.txt", "suffix '.txt'"),
        ("out", "no suffix"),
        ("results.csv", "is a folder"),
    ],
)
@pytest.mark.parametrize("command", [["predict", "--input", "new.csv"], ["design", "--problem", "p"]])
def test_no_file_of_the_user_is_replaced(table, capsys, command, output, message):
    _new("--target", "gap (eV):eV")
    folder = table.parent
    (folder / "results/mine").mkdir(parents=True)
    (folder / "results.csv").mkdir()
    (folder / "link.csv").symlink_to(table)
    for name in ("new.csv", "old.csv"):
        (folder / name).write_bytes(table.read_bytes())
    capsys.readouterr()
    assert cli.main([*command, "--study", "mine.yaml", "--output", output]) == 2
    told = capsys.readouterr().err
    if command[0] == "design" and "input" in message:
        message = "exists already"
    assert message in told
    assert {file.read_bytes() for file in folder.glob("*.csv") if file.is_file()} == {table.read_bytes()}


def test_a_study_runs_where_its_files_are(table, monkeypatch, capsys):
    _new("--target", "gap (eV):eV")
    (table.parent / "results/mine").mkdir(parents=True)
    elsewhere = table.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert cli.main(["validate", "../mine.yaml", "--no-plan"]) == 0
    told = capsys.readouterr()
    assert f"The study runs in {table.parent}, where its files are." in told.err
    assert "55 of 60 rows usable" in told.out
    call = ["predict", "--study", "../mine.yaml", "--input", "new.csv", "--output", "out.csv"]
    assert cli.main(call) == 2
    # The results are there; what is missing is the input.
    assert "new.csv: The file does not exist" in capsys.readouterr().err
    assert Path.cwd() == elsewhere


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("my study", "my_study"),
        ("2024_run", "study_2024_run"),
        ("1e5", "study_1e5"),
        ("Lösung: 3", "Losung_3"),
        ("../up", "up"),
        ("钙钛矿", "study"),
        ("a" * 65, "a" * 64),
        ("", "study"),
    ],
)
def test_new_proposes_a_name_and_writes_nothing(table, capsys, name, proposal):
    arguments = ["new", name, "--data", "mine.csv", "--formula", "formula", "--target", "gap (eV)"]
    assert cli.main(arguments) == 2
    assert f"call it {proposal}, for example" in capsys.readouterr().err
    assert [path.name for path in table.parent.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize("name", ["yes", "null", "on", "y", "a" * 64])
def test_new_takes_names_that_mean_something_else_in_yaml(table, name):
    arguments = ["new", name, "--data", "mine.csv", "--formula", "formula", "--target", "gap (eV)"]
    assert cli.main(arguments) == 0
    assert load_study(f"{name}.yaml").study == name


def test_new_prints_commands_that_a_shell_can_read(table, capsys):
    assert _new("--target", "gap (eV)", "--output", "user's study.yaml") == 0
    report = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(report) == ["nestmat", "report", "user's study.yaml"]
    assert f"# Run:    {report.strip()}" in (table.parent / "user's study.yaml").read_text()


def test_a_closed_pipe_ends_quietly(table):
    assert _new("--target", "gap (eV)") == 0
    # The reader ends before a word is written.
    validate = shlex.join([sys.executable, "-m", "nestmat.cli", "validate", "mine.yaml", "--no-plan"])
    command = f"{validate} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_ctrl_c_ends_in_one_line(monkeypatch, capsys):
    def interrupt(arguments):
        """Stop."""
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "validate", interrupt)
    assert cli.main(["validate", "mine.yaml"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_commands_and_faulty_calls_are_explained(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    for command in ("validate", "new", "report", "predict", "schema"):
        assert command in told
    with pytest.raises(SystemExit) as stopped:
        cli.main(["predict"])
    assert stopped.value.code == 2


def test_a_dry_run_that_fails_is_told_with_its_own_words(table):
    (table.parent / "broken.yaml").write_text("study: 1broken\n")
    with pytest.raises(InputError, match="study: String should match"):
        overview.count_jobs(table.parent / "broken.yaml")


def test_overview_of_a_study_whose_data_is_not_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NESTMAT_MIRROR", raising=False)
    study = study_from(
        {
            "study": "remote",
            "title": "t",
            "question": "q",
            "datasets": {
                "d": {
                    "title": "Remote",
                    "url": "https://example.org/d.csv",
                    "sha256": "0" * 64,
                    "columns": {"x": {}, "y": {}, "c": {"kind": "category"}},
                }
            },
            "scales": {
                "s": {
                    "dataset": "d",
                    "features": {"b": {"columns": ["x"]}},
                    "targets": ["y"],
                    "splits": {"out": {"kind": "leave_one_out", "column": "c"}},
                    "models": {
                        "m": {
                            "specification": {
                                "inputs": ["b"],
                                "encoder": {"latents": 1},
                                "heads": {"y": {}},
                            }
                        }
                    },
                }
            },
        }
    )
    told = "\n".join(overview.describe(study))
    assert "will be downloaded from https://example.org/d.csv" in told
    assert "6 in strict, unknown in out" in told
