# Figures and the report.
# In: the tables of all stages. Out: figures/<scale>.<kind>.svg, and report.html, one self-contained file.

FIGURE_FILES = PLAN.figure_files()


rule draw_figures:
    input:
        unpack(PLAN.figure_inputs),
        published=PLAN.published_files(),
        code=code("draw_figures"),
    output:
        figure=report(
            f"{RESULTS}/figures/{{scale}}.{{kind}}.svg",
            caption="../workflow/report/figure.rst",
            category="{scale}",
            labels={"figure": "{kind}"},
        ),
    log:
        f"{RESULTS}/logs/draw_figures/{{scale}}.{{kind}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_figures/{{scale}}.{{kind}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=config,
    message:
        "Draw {wildcards.kind} of {wildcards.scale}"
    script:
        "../scripts/draw_figures.py"


rule write_report:
    input:
        tables=PLAN.report_inputs(),
        figures=FIGURE_FILES,
        published=PLAN.published_files(),
        code=code("write_report"),
    output:
        report=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/write_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_report.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        study=config,
        results=RESULTS,
        command=COMMAND,
    message:
        "Write the report of {STUDY.study}"
    script:
        "../scripts/write_report.py"
