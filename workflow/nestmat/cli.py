"""The command line: `nestmat validate | new | report | check | predict | design | dft | schema`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nestmat
from nestmat.errors import InputError
from nestmat.paths import RESOURCES, ROOT

# A command imports what it uses: help and mistakes in the arguments wait for nothing.
if TYPE_CHECKING:
    from nestmat.config.study import Study

CLOSED_PIPE, INTERRUPTED = 141, 130
"""Exit statuses of a shell for a program that SIGPIPE or SIGINT has ended."""
_STUDY_HELP = "a study's YAML file, or the name of a shipped study"


def study_file(reference: str) -> Path:
    """The file of a study that is given by path or by the name of a shipped one."""
    shipped = RESOURCES / "studies" / f"{reference}.yaml"
    return shipped if not Path(reference).exists() and shipped.is_file() else Path(reference)


@dataclass(frozen=True)
class _Opened:
    """A study of the command line.

    Attributes:
        study: The study.
        file: Its file, as an absolute path where the study does not run in the working folder.
        folder: The folder that it runs in, which its files count from.
    """

    study: Study
    file: Path
    folder: Path

    def results(self, arguments: argparse.Namespace) -> Path:
        """Folder of the results of a study that has been run."""
        from nestmat.plan.folders import results_folder

        results = results_folder(self.study.study, self.file, self.folder)
        if results.is_relative_to(Path.cwd()):
            results = results.relative_to(Path.cwd())
        results = Path(arguments.results or results)
        if not results.is_dir():
            raise InputError(
                "The folder does not exist: the study has not been run.",
                file=results,
                remedy=f"run `{shlex.join(['nestmat', 'report', arguments.study])}` first, or name the "
                "folder of its results by --results.",
            )
        return results

    def read_files(self, source: str | None = None) -> dict[str, Path]:
        """Files that no output may replace, by what each is."""
        from nestmat.plan.folders import own_files

        content = self.study.model_dump(mode="json")
        files = {f"a file of the study, {key}": self.folder / path for key, path in own_files(content)}
        return {**files, "the study": self.file, **({"the input": Path(source)} if source else {})}


def _open(reference: str, check_options: bool = True) -> _Opened:
    """A study, with the folder that it runs in: the working folder, or else that of its file."""
    from nestmat.config.loading import load_study
    from nestmat.config.yaml_files import load_yaml
    from nestmat.plan.folders import working_folder

    file = study_file(reference)
    folder = working_folder(load_yaml(file), file)
    if folder != Path.cwd():
        file = file.absolute()
        print(f"The study runs in {folder}, where its files are.", file=sys.stderr)
    with contextlib.chdir(folder):
        return _Opened(load_study(file, check_options), file, folder)


def validate(arguments: argparse.Namespace) -> None:
    """Check a study and its data; print what it would do."""
    from nestmat.commands import validate as overview
    from nestmat.plan.folders import provide_cache

    opened = _open(arguments.study)
    provide_cache()
    with contextlib.chdir(opened.folder):
        for line in overview.description_lines(opened.study, opened.file):
            print(line)
        if arguments.plan:
            print(f"  jobs to run: {overview.count_jobs(opened.file)}")
    print(f"{opened.file} is valid.")


def new(arguments: argparse.Namespace) -> None:
    """Write a commented study for a table."""
    from nestmat.commands.new import write_study

    if not arguments.target and not arguments.classes:
        raise InputError("There is nothing to predict.", remedy="give --target or --classes, or both.")
    output = Path(arguments.output or f"{arguments.name}.yaml")
    remarks = write_study(
        output,
        name=arguments.name,
        data=Path(arguments.data),
        formula=arguments.formula,
        fractions=arguments.fractions,
        targets=[*arguments.target, *(f"{column}:class" for column in arguments.classes)],
        features=arguments.features,
        folds=arguments.folds,
        group=arguments.group,
        weights=arguments.weights,
        search=arguments.search,
        reading=_reading_keys(arguments.read),
    )
    for remark in remarks:
        print(f"Note: {remark}")
    print(f"Wrote {output}. Look through it, then:")
    print(f"  {shlex.join(['nestmat', 'validate', str(output)])}")
    print(f"  {shlex.join(['nestmat', 'report', str(output)])}")


def _reading_keys(texts: Sequence[str]) -> dict[str, Any]:
    """Keys of a data set that say how its file is written."""
    from nestmat.config.data_files import parse_reading_key

    return dict(parse_reading_key(text) for text in texts)


def report(arguments: argparse.Namespace) -> int:
    """Run what the report of a study and its predictor need; print the path of the report."""
    from nestmat.commands.check import damaged_files, delete_damaged
    from nestmat.commands.report import run_report
    from nestmat.commands.validate import describe
    from nestmat.plan.parts import predictor_results

    opened = _open(arguments.study)
    with contextlib.chdir(opened.folder):
        describe(opened.study, opened.file)
    results = f"results/{opened.study.study}"
    targets = [f"{results}/{path}" for path in ("report.html", *predictor_results(opened.study))]
    status = run_report(
        opened.study.study,
        opened.file,
        opened.folder,
        targets,
        cores=arguments.cores,
        unlock=arguments.unlock,
        prepare=lambda: delete_damaged(damaged_files(opened.study, opened.folder / results)),
    )
    if status == 0:
        print((opened.folder / targets[0]).resolve())
    return status


def check(arguments: argparse.Namespace) -> int:
    """Read every result of a study and name the damaged files; exit status 0 or 1."""
    from nestmat.commands.check import print_check

    # The options of a study that has been run are valid, and checking them imports what nothing here uses.
    opened = _open(arguments.study, check_options=False)
    return print_check(opened.study, opened.results(arguments), arguments.delete)


def predict(arguments: argparse.Namespace) -> None:
    """Predict the targets of new materials with the trained chain of a study."""
    from nestmat.exports import check_output

    # The options of a study that has been run are valid, and checking them imports what nothing here uses.
    opened = _open(arguments.study, check_options=False)
    results = opened.results(arguments)
    source, output = Path(arguments.input), Path(arguments.output)
    if not source.is_file():
        raise InputError("The file does not exist.", file=source, remedy="check the path.")
    read = opened.read_files(arguments.input)
    check_output(output, read, results=results, overwrite=arguments.overwrite)
    from nestmat.commands.predict import check_rejects_file, prediction_lines, write_prediction
    from nestmat.commands.predict import predict as predict_chain

    check_rejects_file(output, read, arguments.overwrite)
    prediction = predict_chain(opened.study, results, source, arguments.scale)
    write_prediction(prediction, output, arguments.long)
    print(*prediction_lines(prediction, output), sep="\n")


def design(arguments: argparse.Namespace) -> None:
    """Draw materials from a trained generative model of a study, for any value of its target."""
    from nestmat.exports import check_output

    # The options of a study that has been run are valid, and checking them imports what nothing here uses.
    opened = _open(arguments.study, check_options=False)
    results, output = opened.results(arguments), Path(arguments.output)
    check_output(output, opened.read_files(), results=results, overwrite=arguments.overwrite)
    from nestmat.commands.draw import draw_materials

    materials, drawn = draw_materials(
        opened.study,
        results,
        arguments.problem,
        output,
        value=arguments.value,
        count=arguments.count,
        method_name=arguments.method,
    )
    print(f"{output}: {materials} materials of {drawn} samples")


def dft_check(arguments: argparse.Namespace) -> int:
    """Report whether the interpreter of the DFT calculations has GPAW; exit status 0 or 1."""
    from nestmat.config.dft import Dft
    from nestmat.dft.interpreter import check_interpreter

    python = arguments.python or Dft.model_fields["python"].default
    if arguments.configfile:
        opened = _open(arguments.configfile)
        if opened.study.dft is None:
            raise InputError(
                "The study has no calculations.", file=opened.file, key="dft", remedy="see docs/dft.md."
            )
        python = opened.study.dft.python
    try:
        versions = check_interpreter(python)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    for name, value in versions.items():
        print(f"{name:12} {value}")
    return 0


def dft_export(arguments: argparse.Namespace) -> None:
    """Copy the tables of DFT results into a folder, with what is needed to publish them."""
    from nestmat import versions
    from nestmat.dft.publish import export_tables

    option = f" --candidates {arguments.candidates}" if arguments.candidates else ""
    command = f"nestmat dft export {arguments.results} {arguments.folder}{option}"
    for path in export_tables(
        arguments.results, arguments.folder, command, versions.commit(), arguments.candidates
    ):
        print(path)


def dft_restore(arguments: argparse.Namespace) -> None:
    """Put exported calculations back into the journals of a study, which then calculates only what is new."""
    from nestmat.dft.publish import restore_journals

    for path in restore_journals(arguments.folder, arguments.results):
        print(path)


def dft_summary(arguments: argparse.Namespace) -> None:
    """Print contents, convergence and comparison with published values, in Markdown."""
    from nestmat.data.fetch import fetch
    from nestmat.data.reading import read
    from nestmat.data.registry import resolve
    from nestmat.dft.summary import summary

    gaps = None
    if arguments.gaps:
        spec = resolve("perovskites_pbe")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "perovskites_pbe.csv"
            fetch(spec, file, mirror=os.environ.get("NESTMAT_MIRROR"))
            gaps = read(spec, file, name="perovskites_pbe").frame
    print(summary(arguments.folder, gaps), end="")


def schema(arguments: argparse.Namespace) -> None:
    """Write the JSON schema of a study and the configuration reference; with plug-ins, print their schema."""
    from nestmat.config.schema import json_schema, write_all
    from nestmat.plugins import load_plugins

    if arguments.plugins:
        load_plugins(arguments.plugins)
        print(json_schema(), end="")
        return
    for path in write_all(ROOT):
        print(path)


class _Commands:
    """Commands that are added to a parser.

    Args:
        group: What argparse adds them to.
    """

    def __init__(self, group: argparse._SubParsersAction):
        self.group = group

    def add(self, name: str, function: Callable[..., int | None]) -> argparse.ArgumentParser:
        """Add a command whose help is the docstring of its function."""
        text = function.__doc__ or ""
        command = self.group.add_parser(name, help=text.splitlines()[0], description=text)
        command.set_defaults(function=function)
        return command


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(
        prog="nestmat",
        description="Multi-scale screening of materials with nested autoencoders.",
        epilog="Errors in files are printed on stderr, with exit status 2.",
    )
    top.add_argument("--version", action="version", version=f"nestmat {nestmat.__version__}")
    group = top.add_subparsers(metavar="COMMAND", required=True)
    commands = _Commands(group)
    _add_study_commands(commands)
    _add_result_commands(commands)
    text = "Look after the DFT calculations with GPAW, which `snakemake dft` runs."
    dft = group.add_parser("dft", help=text, description=text)
    _add_dft_commands(_Commands(dft.add_subparsers(metavar="COMMAND", required=True)))
    command = commands.add("schema", schema)
    command.add_argument(
        "--plugins", nargs="+", metavar="FILE", help="print the schema with what these plug-in files add"
    )
    return top


def _add_new(command: argparse.ArgumentParser) -> None:
    """Arguments of the command that writes a study."""
    command.add_argument("name", help="name of the study: letters, digits, underscores")
    command.add_argument("--data", required=True, help="your table: CSV, Excel, JSON or Parquet")
    command.add_argument("--formula", help="column of the chemical formula")
    command.add_argument(
        "--fractions",
        choices=["weight", "atomic"],
        help="what the numbers of the formulas are, so that Ti-6Al-4V is read; by default amounts of atoms",
    )
    command.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN[:UNIT[:COLUMN]]",
        help="column to predict, with its unit and the column of its standard uncertainties, as in gap:eV or "
        "gap:eV:gap_error; repeat for more",
    )
    command.add_argument(
        "--features",
        action="append",
        metavar="A,B,C",
        help="columns to learn from, by default all numbers and categories; repeat for more",
    )
    command.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="how the file is written, where the guess is wrong, as decimal=, or header_line=3 or sheet=Data",
    )
    command.add_argument(
        "--folds", help="column of your own folds; by default materials are divided at random"
    )
    command.add_argument(
        "--group", help="column, such as a publication or a batch, whose rows stay together in the folds"
    )
    command.add_argument("--weights", help="column of how much each row counts in training")
    command.add_argument(
        "--search",
        action="store_true",
        help="design materials too: adds a space around those of the table, targets to fill in, and judges",
    )
    command.add_argument("--output", help="file to write, by default NAME.yaml here; never overwritten")
    command.add_argument(
        "--classes",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column to predict whose values are names of classes, also where they are numbers; as "
        "--target COLUMN:class",
    )


def _add_study_commands(commands: _Commands) -> None:
    """Commands that check, write and run a study."""
    command = commands.add("validate", validate)
    command.add_argument("study", help=_STUDY_HELP)
    command.add_argument(
        "--no-plan", dest="plan", action="store_false", help="leave out the dry run that counts the jobs"
    )

    _add_new(commands.add("new", new))

    command = commands.add("report", report)
    command.add_argument("study", help=_STUDY_HELP)
    command.add_argument("--cores", default="all", help="processor cores to use, by default all")
    command.add_argument(
        "--unlock",
        action="store_true",
        help="go on where a run on another machine, or one of Snakemake itself, was killed and left a lock",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    """Options of the table that a command writes."""
    command.add_argument("--output", required=True, help="file to write: .csv, .parquet, .jsonl or .xlsx")
    command.add_argument("--overwrite", action="store_true", help="replace the output where it exists")


def _add_result_commands(commands: _Commands) -> None:
    """Commands that use the results of a study."""
    command = commands.add("check", check)
    command.add_argument("study", help=_STUDY_HELP)
    command.add_argument("--delete", action="store_true", help="delete them, so that a run makes them again")
    command.add_argument("--results", help="folder of the study's results, by default results/<study>")

    command = commands.add("predict", predict)
    command.add_argument("--study", required=True, help=_STUDY_HELP)
    command.add_argument(
        "--input", required=True, help="CSV or Parquet file of formulas, with the study's other inputs"
    )
    _add_output(command)
    command.add_argument(
        "--long", action="store_true", help="write a row a material and target, in place of a row a material"
    )
    command.add_argument("--scale", help="scale to predict with its finer ones, by default the last")
    command.add_argument("--results", help="folder of the study's results, by default results/<study>")

    command = commands.add("design", design)
    command.add_argument("--study", required=True, help=_STUDY_HELP)
    command.add_argument("--problem", required=True, help="problem of the study's search")
    command.add_argument("--value", type=float, help="value to ask for, by default that of the problem")
    command.add_argument("--count", type=int, default=1000, help="materials to draw, by default 1000")
    command.add_argument("--method", help="generative method, by default that of the problem's shortlist")
    _add_output(command)
    command.add_argument("--results", help="folder of the study's results, by default results/<study>")


def _add_dft_commands(commands: _Commands) -> None:
    """Commands for calculations with GPAW."""
    command = commands.add("check", dft_check)
    source = command.add_mutually_exclusive_group()
    source.add_argument("--python", help="interpreter to check, by default python3")
    source.add_argument("--configfile", help=f"{_STUDY_HELP}, whose dft.python is checked")
    command = commands.add("export", dft_export)
    command.add_argument("results", help="folder of the results, as results/<study>/dft")
    command.add_argument("folder", help="folder to write to, as resources/reference")
    command.add_argument(
        "--candidates", metavar="SET", help="copy the tables of this set of candidates or layers instead"
    )

    command = commands.add("restore", dft_restore)
    command.add_argument("folder", help="folder of the tables, as resources/reference")
    command.add_argument("results", help="folder of the results, as results/<study>/dft")
    command = commands.add("summary", dft_summary)
    command.add_argument("folder", help="folder of the tables, as resources/reference")
    command.add_argument(
        "--gaps",
        action="store_true",
        help="compare gaps with the data set perovskites_pbe, fetched for it",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 on success, 2 after an error in the input, 130 after Ctrl-C, 141 where the reader of the output has
        ended, otherwise the status of Snakemake.
    """
    try:
        arguments = parser().parse_args(argv)
        status = arguments.function(arguments) or 0
        # What stands in the buffer is written here, where a closed pipe is caught.
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as `head`, has enough; what is left in the buffer goes nowhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
