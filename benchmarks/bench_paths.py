"""SafeRoot's open + close against resolve() + is_relative_to() + open(), the usual way to check a path.

    python benchmarks/bench_paths.py [ROUNDS]

Prints microseconds per file for both, and their ratio (at most 0.45 is wanted).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from pamola_tasks_paths import SafeRoot


def measure(rounds: int = 20_000) -> tuple[float, float]:
    """Microseconds of the usual way and of SafeRoot, the best of five."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / "DATA/processed/t_1").mkdir(parents=True)
        names = [f"DATA/processed/t_1/{number}.csv" for number in range(20)]
        for name in names:
            (root / name).write_text("x")
        safe = SafeRoot(root)

        def usual() -> None:
            for number in range(rounds // 5):
                path = (root / names[number % 20]).resolve()
                if not path.is_relative_to(root):
                    raise ValueError(path)
                with open(path, "rb"):
                    pass

        def guarded() -> None:
            for number in range(rounds // 5):
                with safe.open(names[number % 20]):
                    pass

        best = []
        for way in (usual, guarded):
            times = []
            for _ in range(5):
                start = time.process_time()
                way()
                times.append(time.process_time() - start)
            best.append(min(times) / (rounds // 5) * 1e6)
        safe.close()
    return best[0], best[1]


if __name__ == "__main__":
    usual, guarded = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    print(f"resolve + is_relative_to + open {usual:6.2f} µs   SafeRoot {guarded:6.2f} µs   ratio {guarded / usual:.2f}")
