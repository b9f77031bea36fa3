"""Record what a study was run with.

In: the data sets as read, plug-in files. Out: run_config.yaml with the merged configuration, versions,
checksums, machine.
"""

from pathlib import Path
from typing import Any

import yaml

from nestmat import tables
from nestmat.files import sha256
from nestmat.logs import job_log
from nestmat.seals import write_text
from nestmat.versions import environment


def main(snakemake: Any) -> None:
    """Write the merged configuration to the results."""
    with job_log(snakemake):
        record = {
            "configuration": snakemake.params.study,
            "environment": environment(),
            "plugins": {str(file): sha256(file) for file in snakemake.input.get("plugins", [])},
            "data": {Path(table).stem: tables.provenance(table) for table in snakemake.input.tables},
        }
        write_text(snakemake.output.run_config, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))


if "snakemake" in globals():
    main(globals()["snakemake"])
