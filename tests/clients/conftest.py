"""The locked npm clients, installed once for every test that asks with them."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def modules():
    """node_modules with the locked clients, installed once and kept outside the repository; or
    the reason why there is none."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        return f"not installed: {' and '.join(missing)}"
    lock = (HERE / "package-lock.json").read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = home / "pointsman-tests" / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    if (kept / "node_modules").is_dir():
        return kept / "node_modules"
    work = kept.with_name(f"{kept.name}-{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(HERE, work, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=work, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(work, ignore_errors=True)
        return f"npm ci failed: {done.stderr.strip()[-300:]}"
    try:
        work.rename(kept)
    except OSError:  # another run was quicker
        shutil.rmtree(work, ignore_errors=True)
    return kept / "node_modules"
