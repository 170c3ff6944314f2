"""`python -m pamola_tasks_executor WORK ANSWER`: make an attempt at a step that another process asks for.

WORK is a file of `Work.data`. ANSWER appears, whole, when the attempt has ended, well or not. Without files works come
on standard input, and states go to standard output: see `streaming`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Read, perform, answer."""
    os.umask(os.umask(0o077) | 0o077)
    if not sys.argv[1:]:
        from pamola_tasks_executor.streaming import serve

        return serve()
    from pamola_tasks_executor.performing import perform

    work, answer = map(Path, sys.argv[1:])
    unfinished = answer.with_name(f"{answer.name}.part")
    unfinished.write_bytes(perform(work.read_bytes()))
    return os.replace(unfinished, answer)


if __name__ == "__main__":
    main()
