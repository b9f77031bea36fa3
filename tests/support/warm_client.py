"""What stands for Python where `support.warm_python` serves: it hands a program over, and ends as that ends.

Called with a script, with ``-m snakemake`` or with ``-m nestmat.cli``. Called with anything else it becomes
Python itself: libraries start processes of their own with open files that the server would not have. It
imports little, for it starts once a job.
"""

import json
import os
import socket
import sys
from pathlib import Path

MODULES = ("snakemake", "nestmat.cli")


def call_server(address: str, arguments: list[str]) -> int:
    """Let the server run a program with the streams, folder and environment of this process.

    Returns:
        The exit status of the program; 1 where the server has gone.
    """
    request = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        status = connection.recv(1)
    return status[0] if status else 1


if __name__ == "__main__":
    address, python, *arguments = sys.argv[1:]
    is_script = bool(arguments) and not arguments[0].startswith("-")
    if not is_script and (arguments[:1] != ["-m"] or arguments[1] not in MODULES):
        os.execv(python, [python, *arguments])
    sys.exit(call_server(address, arguments))
