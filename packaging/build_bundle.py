"""Build the bundle for Claude Desktop: one file to open, with the server in it and a form for its settings.

    python packaging/build_bundle.py [FOLDER]        writes FOLDER/mtu-mcp-VERSION.mcpb (default: dist)
    python packaging/build_bundle.py --unpacked DIR  writes the same files into DIR, for `mcpb validate`

Plain Python 3.11, nothing to install. The host's uv makes the environment on the person's machine, for that machine's
processor, from the `pyproject.toml` in the bundle: the project's own dependencies at the versions of this release, and
no build step, since the script beside the package finds it. The same sources give the same bytes: names are sorted,
times and permissions fixed, and only files that git would publish go in.
"""

import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = ROOT / "src" / "mtu_mcp"
LEFT_OUT = {"__pycache__"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP file can hold."""


def version() -> str:
    """The package's version."""
    found = re.search(r'^__version__ = "(.+)"$', (PACKAGE / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "src/mtu_mcp/__init__.py names no version"
    return found[1]


def manifest() -> dict[str, Any]:
    """The bundle's manifest, with the package's version."""
    written = json.loads((HERE / "claude-desktop" / "manifest.json").read_text(encoding="utf-8"))
    return {**written, "version": version()}


def project() -> str:
    """The bundle's `pyproject.toml`: what to install, and that nothing is to be built."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    return (
        f'[project]\nname = "mtu-mcp-bundle"\nversion = "{version()}"\n'
        f'requires-python = "{table["requires-python"]}"\ndependencies = {_listed(table["dependencies"])}\n\n'
        f"[tool.uv]\npackage = false\nconstraint-dependencies = {_listed(pins)}\n"
    )


def _listed(values: list[str]) -> str:
    return "[\n" + "".join(f"    {json.dumps(value)},\n" for value in values) + "]"


def contents() -> Mapping[str, bytes]:
    """Every file of the bundle by its name, sorted."""
    files = {
        "manifest.json": (json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n").encode(),
        "pyproject.toml": project().encode(),
        "icon.png": (HERE / "claude-code" / ".claude-plugin" / "icon.png").read_bytes(),
        "README.md": (HERE / "claude-desktop" / "README.md").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        "src/desktop.py": (HERE / "claude-desktop" / "desktop.py").read_bytes(),
    }
    for file in (HERE / "claude-desktop" / "mcpb-resources").glob("*.json"):
        files[f"mcpb-resources/{file.name}"] = file.read_bytes()
    for file in _package():
        files[f"src/{file.relative_to(PACKAGE.parent).as_posix()}"] = file.read_bytes()
    return dict(sorted(files.items()))


def _package() -> Iterator[Path]:
    for file in PACKAGE.rglob("*"):
        if file.is_file() and not LEFT_OUT & set(file.parts) and not file.name.startswith("."):
            yield file


def write(target: Path) -> None:
    """Write the bundle."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as bundle:
        for name, data in contents().items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also on Windows
            entry.external_attr = 0o100644 << 16
            bundle.writestr(entry, data, compresslevel=9)


def unpack(folder: Path) -> None:
    """Write the bundle's files into a folder."""
    for name, data in contents().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def main(argv: list[str]) -> int:
    """Build, and say where it is.

    Returns:
        0, or 2 for arguments that are not understood.
    """
    if len(argv) == 2 and argv[0] == "--unpacked":
        unpack(Path(argv[1]))
        return 0
    if len(argv) > 1 or (argv and argv[0].startswith("-")):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    target = Path(argv[0] if argv else ROOT / "dist") / f"mtu-mcp-{version()}.mcpb"
    write(target)
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
