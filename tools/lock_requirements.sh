#!/usr/bin/env bash
# Pin every dependency of pyproject.toml with its hashes, for Python 3.11 to 3.14 on Linux x86_64. Needs uv.
# torch is pinned apart, in requirements-torch.lock: its CPU wheels live on an index of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
    --no-emit-package torch --no-annotate --no-header --quiet "$@" -o requirements.lock
# The marker of the one platform that is resolved for says nothing, and hides a wrong platform from pip.
sed -i -E \
    -e "s/ ; /; /" -e "s/(; )python_full_version < '3.15' and /\1/" -e "s/ and python_full_version < '3.15'//" \
    -e "s/(and |; )platform_machine == 'x86_64'( and )?/\1/" \
    -e "s/( and |and )?sys_platform == 'linux'//" \
    -e "s/; *\\\\$/ \\\\/" -e "s/ +\\\\$/ \\\\/" requirements.lock
