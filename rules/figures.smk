# Figures and the report.
# In: the tables of all stages. Out: figures/<scale or problem>/<kind>.svg, and report.html, one self-contained file.
from nestmat.figures.drawing import available, title
from nestmat.figures.registry import FIGURES
from nestmat.report.registry import SECTIONS, required_tables, template_files

figure_kinds = {subject: [kind for name, kind in available(STUDY) if name == subject] for subject in SUBJECTS}
titles = {subject: title(STUDY, subject) for subject in SUBJECTS}
report_tables = [f"<results>/{path}" for path in required_tables(STUDY)]


wildcard_constraints:
    subject="|".join(SUBJECTS),


rule draw_figures:
    """Figures of a scale or a design problem."""
    input:
        tables=collect("<results>/{path}", path=lookup(dpath="{subject}", within=figure_tables)),
        published=PUBLISHED,
        code=code("draw_figures"),
        kinds=code_of(FIGURES, lookup(dpath="{subject}", within=figure_kinds)),
    output:
        figures=report(
            directory("<results>/figures/{subject}"),
            patterns=["{kind}.svg"],
            caption="../workflow/report/kind.rst",
            category=lookup(dpath="{subject}", within=titles),
            labels={"figure": "{kind}"},
        ),
    log:
        "<logs>/draw_figures/{subject}.log",
    benchmark:
        "<benchmarks>/draw_figures/{subject}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        study=config,
        captions={kind: figure.caption for kind, figure in FIGURES.items()},
    message:
        "Draw the figures of {wildcards.subject}"
    script:
        "../scripts/draw_figures.py"


# Seconds, whatever the size of the study.
localrules:
    write_report,


rule write_report:
    """The report, one HTML file."""
    input:
        tables=report_tables,
        figures=expand("<results>/figures/{subject}", subject=SUBJECTS),
        published=PUBLISHED,
        code=code("write_report"),
        sections=kind_files(SECTIONS, SECTIONS),
        splits=SPLIT_FILES,
        templates=template_files(),
        kinds=kind_files(FIGURES, {kind for kinds in figure_kinds.values() for kind in kinds}),
    output:
        report="<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        study=config,
        # A tuple: in a text Snakemake would read braces of the folder's name as wildcards.
        command=(COMMAND,),
    message:
        "Write the report of {STUDY.study}"
    script:
        "../scripts/write_report.py"
