"""setup.py at the root is what packaging tools run, and lib/ is what .gitignore templates hide."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("word", ["egg_info", "bdist_wheel", "install", "develop"])
def test_packaging_commands_are_wrong_usage_and_create_nothing(tmp_path: Path, word: str) -> None:
    before = sorted(path.name for path in ROOT.iterdir())
    done = subprocess.run(
        [sys.executable, str(ROOT / "setup.py"), word], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "unexpected extra argument" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in ROOT.iterdir()) == before


def test_pyproject_declares_no_package() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert "\n[project]" not in text
    assert "\n[build-system]" not in text


def test_lib_is_not_ignored() -> None:
    done = subprocess.run(["git", "check-ignore", "lib/aws.py"], cwd=ROOT, capture_output=True)
    assert done.returncode == 1
