"""What setup.cfg cannot say: files that live outside the packages and travel inside the wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# `auto_lambda_cli/sources.py` finds them.
SHIPPED = ("infra", "examples", "apps", "docs/reference/errors.md")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.sqlite3")


class BuildPy(build_py):
    """Copies them beside the built modules. An editable installation reads them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "auto_lambda_cli", "shipped")
        shutil.rmtree(target, ignore_errors=True)
        for name in SHIPPED:
            source = ROOT / name
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=NOT_SHIPPED)
            else:
                shutil.copy(source, target / name)


class BdistWheel(bdist_wheel):
    """Puts the bill of materials where PEP 770 has it."""

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        target = Path(distinfo_path, "sboms")
        target.mkdir()
        shutil.copy(ROOT / "auto_lambda" / "locks" / "sbom.cdx.json", target / "auto-lambda.cdx.json")


setup(cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel})
