"""The table with a row a material, and what may not be written over."""

from pathlib import Path

import pandas as pd
import pytest

from nestmat import tables
from nestmat.commands.predict import PREDICTED, Prediction, check_rejects_file, write_prediction
from nestmat.errors import InputError


def quantity(scale, target, mean, *, named="", domain="inside"):
    """Two rows of the long table."""
    frame = pd.DataFrame({"row": [2, 3], "formula": ["CsPbI3", "NaCl"], "material": ["a", "b"]})
    frame = frame.assign(scale=scale, target=target, mean=mean, std=0.1, low=0.0, high=1.0, unit="eV")
    return frame.assign(**{"class": named, "domain": domain, "reason": ""})


def prediction(*parts, columns):
    return Prediction(
        long=pd.concat(parts).sort_values(["row", "scale"], kind="stable"),
        columns=columns,
        scale=parts[-1]["scale"].iloc[0],
        rejects=pd.DataFrame({name: [] for name in tables.REJECTS}),
        remarks=[],
        facts={},
    )


@pytest.fixture
def chain():
    """A gap at two scales, and classes at the last."""
    grades = ["brittle", "ductile", "tough"]
    return prediction(
        quantity("crystal", "gap", [1.0, 2.0], domain="edge"),
        quantity("alloy", "gap", [3.0, 4.0]),
        quantity("alloy", "phase", [0.9, 0.2], named=["one", "two"]),
        quantity("alloy", "grade", [0.6, 0.7], named=["brittle", "tough"]),
        *(quantity("alloy", f"grade: {grade}", [0.1, 0.2]) for grade in grades),
        columns={
            ("crystal", "gap"): tables.Column("float64", unit="eV"),
            ("alloy", "gap"): tables.Column("float64", unit="meV"),
            ("alloy", "phase"): tables.Column("float64", classes=("two", "one")),
            ("alloy", "grade"): tables.Column("float64", classes=tuple(grades)),
        },
    )


def test_a_material_has_one_row(chain, tmp_path):
    write_prediction(chain, tmp_path / "out.csv")
    wide = pd.read_csv(tmp_path / "out.csv")
    assert wide["row"].tolist() == [2, 3]
    assert list(wide)[:4] == ["row", "formula", "alloy.gap", "alloy.gap.std"]
    assert list(wide)[-2:] == ["domain", "reason"]
    assert wide["crystal.gap"].tolist() == [1.0, 2.0]
    assert wide["alloy.gap"].tolist() == [3.0, 4.0]
    assert wide["phase"].tolist() == ["one", "two"]
    assert wide["phase: one"].tolist() == [0.9, 0.2]
    assert wide["grade"].tolist() == ["brittle", "tough"]
    assert wide["grade: ductile"].tolist() == [0.1, 0.2]
    # That of the last scale.
    assert wide["domain"].tolist() == ["inside", "inside"]
    write_prediction(chain, tmp_path / "out.parquet")
    units = {name: column.unit for name, column in tables.schema(tmp_path / "out.parquet").items()}
    assert (units["crystal.gap"], units["alloy.gap.low"], units["grade: tough"]) == ("eV", "meV", "")


def test_the_long_table_has_a_row_a_target(chain, tmp_path):
    write_prediction(chain, tmp_path / "out.parquet", long=True)
    assert set(tables.schema(tmp_path / "out.parquet")) == set(PREDICTED)
    assert len(tables.read(tmp_path / "out.parquet")) == 2 * 7


def test_targets_may_be_called_as_columns_of_the_table(tmp_path):
    parts = [quantity("s", name, [1.0, 2.0]) for name in ("domain", "reason")]
    columns = {("s", name): tables.Column("float64") for name in ("domain", "reason")}
    write_prediction(prediction(*parts, columns=columns), tmp_path / "out.csv")
    wide = pd.read_csv(tmp_path / "out.csv")
    assert wide["domain"].tolist() == [1.0, 2.0]
    assert wide["domain_"].tolist() == ["inside", "inside"]


def test_rejected_rows_replace_those_of_earlier_alone(tmp_path):
    output, file = tmp_path / "out.csv", tmp_path / "out.rejects.parquet"
    empty = pd.DataFrame({name: [] for name in tables.REJECTS})
    tables.write(file, empty, tables.REJECTS)
    check_rejects_file(output, {}, False)
    with pytest.raises(InputError, match="would replace the input"):
        check_rejects_file(output, {"the input": file}, True)
    tables.write(file, pd.DataFrame({"a": [1]}), {"a": tables.Column("int64")})
    with pytest.raises(InputError, match="another table"):
        check_rejects_file(Path(output), {}, False)
