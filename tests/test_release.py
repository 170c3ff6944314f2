"""One version for all distributions: `release.py` sets it and finds what differs."""

from __future__ import annotations

import importlib.util
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("release", ROOT / "release.py")
assert spec is not None
assert spec.loader is not None
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of this checkout that hold a version."""
    files = [*release.projects(ROOT), ROOT / "src/pamola_tasks/__init__.py", ROOT / "CHANGELOG.md"]
    files.append(ROOT / "docs/reference/plugins.md")
    for path in files:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_all_distributions_here_have_one_version():
    assert list(release.differences(ROOT)) == []


def test_every_distribution_bounds_those_it_requires():
    for path in release.projects(ROOT):
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        required = [
            text for group in [project["dependencies"], *extras] for text in group if text.startswith("pamola-")
        ]
        assert [text for text in required if not text.endswith(release.bounds(project["version"]))] == []
        assert path == ROOT / "pyproject.toml" or required


def test_extras_name_every_plugin():
    """All in `standard`, but for those whose libraries are many."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = [tomllib.loads(path.read_text())["project"]["name"] for path in release.projects(ROOT)[1:]]
    of_tasks = ("dashboard", "dask", "openlineage", "sql", "objects", "llm", "policies")
    others = {name: f"pamola-tasks-{name}" for name in of_tasks}
    others |= {"perturb": "pamola-ops-perturb", "text": "pamola-ops-text"}
    assert [text.partition(">")[0] for name in others for text in extras[name]] == list(others.values())
    required = [text for name in ("standard", *others) for text in extras[name]]
    assert sorted(text.partition(">")[0] for text in required) == sorted(names)
    listed = (ROOT / "requirements.txt").read_text().split("\n")
    assert [
        path.parent.name for path in release.projects(ROOT)[1:] if f"./plugins/{path.parent.name}" not in listed
    ] == []


def test_version_is_set_everywhere(copy):
    release.set_version(copy, "0.7.3")
    assert list(release.differences(copy)) == []
    assert {tomllib.loads(path.read_text())["project"]["version"] for path in release.projects(copy)} == {"0.7.3"}
    assert '__version__ = "0.7.3"' in (copy / "src/pamola_tasks/__init__.py").read_text()
    assert "pamola-tasks>=0.7,<0.8" in (copy / "plugins/paths/pyproject.toml").read_text()


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "1.2.3rc1", ""])
def test_odd_version_is_refused(copy, version):
    before = (copy / "pyproject.toml").read_text()
    with pytest.raises(ValueError, match="expected a version such as"):
        release.set_version(copy, version)
    assert (copy / "pyproject.toml").read_text() == before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("plugins/paths/pyproject.toml", 'version = "0.1.0"', 'version = "0.1.1"'),
        ("plugins/paths/pyproject.toml", "pamola-tasks>=0.1,<0.2", "pamola-tasks"),
        ("plugins/paths/pyproject.toml", "pamola-tasks>=0.1,<0.2", "pamola-tasks>=0.1"),
        ("pyproject.toml", "pamola-tasks-data>=0.1,<0.2", "pamola-tasks-data==0.1.0"),
        ("docs/reference/plugins.md", "pamola-tasks>=0.1,<0.2", "pamola-tasks>=0.1,<0.3"),
        ("src/pamola_tasks/__init__.py", '__version__ = "0.1.0"', '__version__ = "0.2.0"'),
    ],
)
def test_difference_is_found(copy, path, old, new):
    release.set_version(copy, "0.1.0")
    text = (copy / path).read_text()
    assert old in text
    (copy / path).write_text(text.replace(old, new))
    (found,) = release.differences(copy)
    assert found.startswith(f"{path}:")
