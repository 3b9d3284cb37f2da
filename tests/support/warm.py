"""Commands without the two seconds in which Python imports the program: each is a fork of a process that has done so.

    python tests/support/warm.py serve SOCKET           imports the command line once, and waits
    python tests/support/warm.py ask SOCKET ARGUMENTS   one command there, with streams, folder and environment of here

What a command does is what ``gristmill`` does, in a process of its own: its exit code, output and threads are its own,
and so is what it loads after the start. Tests of the start itself, of signals and of kills start the program instead.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

SIZE = struct.Struct("<Q")


class Warm:
    """A process that answers until the one that started it closes it, or ends.

    Args:
        script: this file, or that of a copy of the project, whose commands are wanted.
    """

    def __init__(self, script: str = __file__) -> None:
        path = tempfile.mkdtemp(prefix="warm-", dir="/tmp") + "/socket"  # such paths must be short
        serving = [sys.executable, script, "serve", path]
        self._server = subprocess.Popen(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"
        self.command = [sys.executable, "-I", "-S", script, "ask", path]
        """The words to type instead of ``gristmill``."""

    def close(self) -> None:
        self._server.communicate()


@lru_cache(maxsize=1)
def warm() -> Warm:
    """The one of this process."""
    return Warm()


def ask(path: str, arguments: list[str]) -> int:
    """The exit code of one command (minus the signal that ended it)."""
    request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [SIZE.pack(len(request))], [0, 1, 2])
        server.sendall(request)
        return int(server.makefile().read())


def serve(path: str) -> None:
    """Answer until the process that started this one closes standard input."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import pipeline.cli
    import pipeline.run.driver

    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while server in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                if os.fork() != 0:
                    _, status = os.wait()
                    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
                    os._exit(0)
                become(connection)
                pipeline.cli.main()
                return
            connection.close()
            reap()
    shutil.rmtree(os.path.dirname(path))


def become(connection: socket.socket) -> None:
    """Take the streams, arguments, folder and environment of the one who asks."""
    head, streams, _, _ = socket.recv_fds(connection, SIZE.size, 3)
    with connection, connection.makefile("rb") as file:
        arguments, folder, environment = json.loads(file.read(*SIZE.unpack(head)))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["gristmill", *arguments]


def reap() -> None:
    """Let those go that have answered."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[2], sys.argv[3:]) % 256)
