"""Encrypting and decrypting a file, against a plain copy and against pyrage; and the memory it takes.

    python benchmarks/bench_encryption.py [MIB] [ROUNDS]

Wanted, for 500 MiB: each at most 2.0 x a plain copy made in the same run and at least 1.2 x the speed of pyrage; the
peak memory for 1 GiB within 8 MiB of that for 64 MiB. Needs pyrage for the comparison and says so without it. Files
lie in `PAMOLA_BENCH_DIR`, unless set in the folder of temporary files: a memory file system keeps the disk out of it.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pamola_tasks_encryption import Binding, DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.rotation import copy

KEY = bytes(range(32))
PLACE = Binding("", "bench", "data")
MIB = 1 << 20


def plain_copy(source: Path, target: Path) -> None:
    """Copy in the same pieces as the others."""
    with source.open("rb") as reading, target.open("wb") as writing:
        copy(reading, writing)


def encrypt(source: Path, target: Path) -> None:
    """Encrypt a file."""
    with (
        source.open("rb") as reading,
        target.open("wb", buffering=0) as writing,
        EncryptingWriter(writing, KEY, PLACE) as sealed,
    ):
        copy(reading, sealed)


def decrypt(source: Path, target: Path) -> None:
    """Decrypt a file."""
    with (
        source.open("rb") as reading,
        target.open("wb", buffering=0) as writing,
        DecryptingReader(reading, KEY, PLACE) as plain,
    ):
        copy(plain, writing)


def fill(path: Path, mib: int) -> None:
    """A file of random bytes."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))


def seconds(do: Callable[[Path, Path], None], source: Path, target: Path) -> float:
    """How long it takes to make a new file."""
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    do(source, target)
    return time.perf_counter() - began


def pyrage_pair() -> tuple[Callable[[Path, Path], None], Callable[[Path, Path], None]] | None:
    """Encrypting and decrypting with pyrage."""
    try:
        import pyrage
    except ImportError:
        return None
    identity = pyrage.x25519.Identity.generate()

    def age_encrypt(source: Path, target: Path) -> None:
        with source.open("rb") as reading, target.open("wb") as writing:
            pyrage.encrypt_io(reading, writing, [identity.to_public()])

    def age_decrypt(source: Path, target: Path) -> None:
        with source.open("rb") as reading, target.open("wb") as writing:
            pyrage.decrypt_io(reading, writing, [identity])

    return age_encrypt, age_decrypt


def peak_of(what: str, source: Path, target: Path) -> float:
    """The peak memory, in MiB, of a process that does one thing."""
    done = subprocess.run([sys.executable, __file__, "--once", what, source, target], capture_output=True, check=True)
    return int(done.stdout) / 1024


def once(what: str, source: str, target: str) -> None:
    """Do one thing and print the peak memory of this process, in KiB."""
    {"encrypt": encrypt, "decrypt": decrypt}[what](Path(source), Path(target))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    """Measure and print."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {mib} MiB, {rounds} rounds"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("PAMOLA_BENCH_DIR")) as name:
        folder = Path(name)
        plain, sealed, aged, out = (folder / n for n in ("plain", "sealed", "aged", "out"))
        fill(plain, mib)
        by_pyrage = pyrage_pair()
        jobs: dict[str, tuple[Callable[[Path, Path], None], Path, Path]] = {
            "copy": (plain_copy, plain, out),
            "encrypt": (encrypt, plain, sealed),
            "decrypt": (decrypt, sealed, out),
        }
        if by_pyrage:
            jobs |= {"pyrage encrypt": (by_pyrage[0], plain, aged), "pyrage decrypt": (by_pyrage[1], aged, out)}
        times: dict[str, list[float]] = {job: [] for job in jobs}
        for _ in range(rounds):
            for job, (do, source, target) in jobs.items():
                times[job].append(seconds(do, source, target))
        best = {job: statistics.median(found) for job, found in times.items()}
        for job, took in best.items():
            print(f"{job:15} {took:7.2f} s  {mib / took:7.0f} MiB/s  {took / best['copy']:5.2f} x copy")
        for job in ("encrypt", "decrypt"):
            if by_pyrage:
                print(f"{job:15} {best[f'pyrage {job}'] / best[job]:7.2f} x the speed of pyrage")
            else:
                print(f"{job:15} pyrage is not installed: no comparison")
        peaks: dict[str, list[float]] = {"encrypt": [], "decrypt": []}
        for size in (64, 1024):
            fill(plain, size)
            for job in peaks:
                source, target = (plain, sealed) if job == "encrypt" else (sealed, out)
                peaks[job].append(peak_of(job, source, target))
        for job, (small, large) in peaks.items():
            print(f"{job:15} peak {small:.1f} MiB for 64 MiB, {large:.1f} MiB for 1 GiB: {large - small:+.1f} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(*sys.argv[2:])
    else:
        main()
