"""`python -m mlc_llm` and the `mlc_llm` console script: the C++ program itself, with the same arguments."""

from __future__ import annotations

import os
import subprocess
import sys

from . import _lib, errors


def main() -> int:  # pylint: disable=inconsistent-return-statements
    """Becomes the program (where the system can do that); else runs it and returns its exit code."""
    try:
        program = str(_lib.find_program())
    except errors.MLCError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    arguments = [program, *sys.argv[1:]]
    if sys.platform == "win32":
        return subprocess.call(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, arguments)  # nosec B606


if __name__ == "__main__":
    sys.exit(main())
