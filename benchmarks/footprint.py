"""What an installation weighs and how long it takes to start: wheel, disk, imports, memory.

    .venv/bin/python benchmarks/footprint.py             # prints the page
    .venv/bin/python benchmarks/footprint.py --write     # into docs/reference/footprint.md

Builds the wheel, installs it without extras into an empty environment from the package index, and
measures there. `--rounds` starts of each kind; the page gives the median and the range.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "footprint.md"
FOUR_LINES = """\
deployments:
  local:
    model: qwen3-8b
    base_url: http://127.0.0.1:8000/v1
"""
_IMPORTS = ("pointsman", "pointsman.client", "pointsman.cli", "pointsman.app", "pointsman.journal")


def build(target: Path, *, kind: str = "wheel") -> Path:
    """The archive of this tree, `wheel` or `sdist`, built in isolation."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [archive] = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return archive


def install(archive: Path, folder: Path) -> Path:
    """The interpreter of a new environment that holds the archive and what it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", str(archive)], check=True)
    return python


def site_packages(python: Path) -> Path:
    """Where the environment of this interpreter keeps its packages."""
    [folder] = python.parent.parent.glob("lib/python*/site-packages")
    return folder


def installed_bytes(python: Path) -> dict[str, int]:
    """Bytes on disk of each installed distribution, byte code included."""
    sizes = {}
    for item in distributions(path=[str(site_packages(python))]):
        sizes[item.metadata["Name"]] = sum(map(_size, _files(item)))
    return sizes


def start_ms(command: list[str], *, folder: Path, rounds: int) -> list[float]:
    """Milliseconds from start to end of a command, each round in a process of its own."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        taken.append(1e3 * (time.perf_counter() - began))
    return taken


def import_ms(python: Path, module: str, *, rounds: int) -> list[float]:
    """Milliseconds that an import takes in a fresh process, without the interpreter's own start."""
    code = (
        "import time; t = time.perf_counter(); "
        f"import {module}; print(1e3 * (time.perf_counter() - t))"
    )
    command = [str(python), "-c", code]
    return [float(subprocess.check_output(command)) for _ in range(rounds)]


def idle_gateway(python: Path, folder: Path) -> tuple[float, float]:
    """Milliseconds until a gateway serves, and its resident megabytes then (Linux)."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(python), "-m", "pointsman", "serve", "--port", "0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None, "it was given a pipe"
    try:
        while "serving on" not in process.stderr.readline():
            assert process.poll() is None, "the gateway did not start"
        ready_ms = 1e3 * (time.perf_counter() - began)
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None, "Linux says what is resident"
        return ready_ms, int(found[1]) / 1024
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def page(rounds: int) -> str:
    """All of it, measured now, as Markdown."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheel = build(folder / "dist")
        python = install(wheel, folder / "environment")
        (folder / "pointsman.yaml").write_text(FOUR_LINES)
        start_ms([str(python), "-c", "import " + ", ".join(_IMPORTS)], folder=folder, rounds=1)
        imports = {module: import_ms(python, module, rounds=rounds) for module in _IMPORTS}
        bare = start_ms([str(python), "-c", "pass"], folder=folder, rounds=rounds)
        program = str(python.parent / "pointsman")
        starts = {
            verb: start_ms([program, *verb.split()], folder=folder, rounds=rounds)
            for verb in ("--version", "check --offline", "report", "trace list")
        }
        gateways = [idle_gateway(python, folder) for _ in range(max(3, rounds // 4))]
        sizes = installed_bytes(python)
        weight = wheel.stat().st_size
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    rest = largest[8:]
    rows = [f"| {name} | {_mb(size)} |" for name, size in largest[:8]]
    rows += [f"| {len(rest)} others | {_mb(sum(size for _, size in rest))} |"] if rest else []
    return "\n".join(
        [
            "# Footprint",
            "",
            "Written by `benchmarks/footprint.py --write`: the wheel without extras in an empty",
            f"environment, {rounds} fresh processes a figure; median, and the range.",
            f"{_machine()}.",
            "",
            f"- wheel: {_mb(weight)} MB",
            f"- installed, with every dependency and byte code: **{_mb(sum(sizes.values()))} MB**",
            "",
            "| distribution | MB |",
            "|---|---:|",
            *rows,
            "",
            "| import, in milliseconds | median | range |",
            "|---|---:|---:|",
            *(_row(f"`import {name}`", taken) for name, taken in imports.items()),
            "",
            "| whole command, in milliseconds | median | range |",
            "|---|---:|---:|",
            _row("`python -c pass`, for comparison", bare),
            *(_row(f"`pointsman {verb}`", taken) for verb, taken in starts.items()),
            _row("`pointsman serve`, until it serves", [ready for ready, _ in gateways]),
            "",
            "| resident memory, in MB | median | range |",
            "|---|---:|---:|",
            _row("an idle gateway that has answered nothing", [size for _, size in gateways]),
            "",
        ]
    )


def _row(name: str, values: list[float]) -> str:
    shown = (statistics.median(values), min(values), max(values))
    middle, low, high = (f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in shown)
    return f"| {name} | {middle} | {low} to {high} |"


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _files(item: Distribution) -> list[Path]:
    return [Path(str(item.locate_file(file))) for file in item.files or ()]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _machine() -> str:
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"Linux {platform.machine()}, {os.cpu_count()} cores, {memory_gb:.0f} GiB, "
        f"Python {platform.python_version()}; load while measuring: {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    text = page(options.rounds)
    if options.write:
        PAGE.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
