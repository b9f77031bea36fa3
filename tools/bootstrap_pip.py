"""Put pip into a virtual environment where Python comes without ensurepip, as on a fresh Debian.

Downloads one pinned wheel from the package index that pip itself would use, checks its checksum, and lets it
install itself: ``.venv/bin/python tools/bootstrap_pip.py``. Standard library only.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

WHEEL = "pip-26.2.1-py3-none-any.whl"
SHA256 = "71138adf1f4ca900cdb7d289c21b7494329f2332b6d85f0e1c42108c0384ed3e"


def indexes() -> list[str]:
    """Package indexes in the order of pip: environment, then configuration files, then PyPI."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    home = Path.home()
    parser.read(
        [
            "/etc/pip.conf",
            home / ".pip/pip.conf",
            Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "pip/pip.conf",
            os.environ.get("PIP_CONFIG_FILE", os.devnull),
        ]
    )

    def setting(name: str) -> str:
        configured = parser.get("global", name, fallback="")
        return os.environ.get("PIP_" + name.upper().replace("-", "_"), configured)

    main = setting("index-url") or "https://pypi.org/simple"
    return [main, *setting("extra-index-url").split()]


def download(index: str, context: ssl.SSLContext | None = None) -> bytes:
    """The pinned wheel from one index that follows PEP 503.

    Raises:
        LookupError: The index does not list the wheel, or its checksum differs.
        OSError: The index cannot be reached.
    """
    page = index.rstrip("/") + "/pip/"
    # A file: address names the page itself, where a server would add index.html.
    page += "index.html" if page.startswith("file:") else ""
    with urllib.request.urlopen(page, timeout=60, context=context) as answer:
        links = re.findall(r'href="([^"#]+)', answer.read().decode())
    found = [link for link in links if link.rsplit("/", 1)[-1] == WHEEL]
    if not found:
        raise LookupError(f"{page} does not list {WHEEL}")
    address = urllib.parse.urljoin(page, found[0])
    with urllib.request.urlopen(address, timeout=60, context=context) as answer:
        wheel = answer.read()
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        raise LookupError(f"{address} does not have the sha256 {SHA256}")
    return wheel


def main() -> int:
    """Install pip into the environment of the running interpreter."""
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    failures = []
    for index in indexes():
        try:
            wheel = download(index, context)
        except (LookupError, OSError) as error:
            failures.append(f"  {index}: {error}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / WHEEL
            path.write_bytes(wheel)
            pip = [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", "--no-deps", str(path)]
            return subprocess.run(pip).returncode
    print("pip could not be downloaded:", *failures, sep="\n", file=sys.stderr)
    print("Check the network, or install Debian's python3-venv, and run again.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
