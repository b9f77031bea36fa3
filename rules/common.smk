# What the rules share.
# In: STUDY, the validated configuration. Out: PLAN, the input functions and parameters of all rules;
# code(script), the library modules that a script depends on; resource(name); program(name); patterns of the wildcards.
from nestmat.plan.jobs import Plan, code, program, resource

PLAN = Plan(STUDY, RESULTS)


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    scale="|".join(STUDY.scales),
    parent="|".join(STUDY.scales),
    child="|".join(STUDY.scales),
    protocol="[A-Za-z][A-Za-z0-9_]*",
    model="|".join(sorted({model for scale in STUDY.scales.values() for model in scale.models})),
    checksum="[0-9a-f]{12}",
    ending="csv|parquet",
