"""What hosts, the registry and containers read about this server agrees with the server, and with their own formats.

The formats: Claude Code's plugin reference, the MCPB manifest 0.4, the registry's server.json of 2025-12-11, the
Dockerfile reference. Where a format's own validator is installed it is asked too.

`MTU_UPDATE=1 python -m pytest tests/packaging` writes the tools of the bundle's manifest anew.
"""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

import mtu_mcp
from mtu_mcp.capabilities import capabilities
from mtu_mcp.server import icon
from mtu_mcp.settings import DEFAULT_BASE_URL, Settings, variable

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PLUGIN = PACKAGING / "claude-code"
BUNDLE = PACKAGING / "claude-desktop" / "manifest.json"
TOOL_ICONS = ROOT / "src" / "mtu_mcp" / "server" / "tool_icons"
VARIABLES = {variable(name) for name in Settings.model_fields} - {variable("problems")}
TOOLS = {tool.name: tool for capability in capabilities() for tool in capability.tools}
CORE = {name: tool for name, tool in TOOLS.items() if tool.toolset == "core"}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def run(*command: str | Path, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("MTU_", "CLAUDE", "ANTHROPIC"))
    }
    environ |= {"HOME": str(home), "DISABLE_AUTOUPDATER": "1"} if home else {}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        env=environ,
        timeout=90,
        check=False,
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, built by its one command."""
    folder = tmp_path_factory.mktemp("bundle")
    done = run(sys.executable, PACKAGING / "build_bundle.py", folder)
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("*.mcpb")
    return made


@pytest.fixture(scope="module")
def packed(bundle: Path) -> dict[str, bytes]:
    """The bundle's files by their names."""
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_package_has_the_version_of_the_code(bundle: Path, packed: dict[str, bytes]) -> None:
    """Our promise: one version, in `src/mtu_mcp/__init__.py`, and nothing published under another."""
    registry = read(ROOT / "server.json")
    assert tomllib.loads(packed["pyproject.toml"].decode())["project"]["version"] == mtu_mcp.__version__
    assert {
        "plugin": read(PLUGIN / ".claude-plugin" / "plugin.json")["version"],
        "bundle": json.loads(packed["manifest.json"])["version"],
        "file": bundle.stem.removeprefix("mtu-mcp-"),
        "registry": registry["version"],
        "package": registry["packages"][0]["version"],
    } == dict.fromkeys(("plugin", "bundle", "file", "registry", "package"), mtu_mcp.__version__)


def test_the_plugin_is_what_claude_code_looks_for() -> None:
    """Plugin reference: kebab-case name, `.mcp.json`, commands and skills at the root; the directory wants an icon."""
    manifest = read(PLUGIN / ".claude-plugin" / "plugin.json")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", manifest["name"])
    assert manifest["description"]
    assert manifest["author"]["name"]
    [listed] = read(ROOT / ".claude-plugin" / "marketplace.json")["plugins"]
    assert listed["name"] == manifest["name"]
    assert (ROOT / listed["source"]).resolve() == PLUGIN
    with Image.open(PLUGIN / ".claude-plugin" / "icon.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (512, 512))
    for file in [*PLUGIN.glob("commands/*.md"), *PLUGIN.glob("skills/*/SKILL.md")]:
        head = file.read_text(encoding="utf-8").split("---\n")[1]
        assert re.search(r"^description: \S", head, re.MULTILINE), file.name


def test_the_form_of_the_plugin_fills_settings_that_exist() -> None:
    """Our promise: each field of the form reaches the server, under a name it reads."""
    fields = read(PLUGIN / ".claude-plugin" / "plugin.json")["userConfig"]
    [server] = read(PLUGIN / ".mcp.json")["mcpServers"].values()
    passed = {name.replace("MTU_OPTION_", "MTU_"): value for name, value in server["env"].items()}
    assert passed == {variable(name): f"${{user_config.{name}}}" for name in fields}
    assert set(passed) <= VARIABLES
    assert fields["api_key"]["sensitive"] is True
    assert server["args"] == ["${CLAUDE_PLUGIN_ROOT}/launch.py", "serve"]


def test_the_plugin_brings_the_source_without_a_second_copy() -> None:
    """Plugin reference: links that lead into the same marketplace are followed when the plugin is copied."""
    for name in ("src", "pyproject.toml", "constraints.txt"):
        link = PLUGIN / "server" / name
        if not link.is_symlink():  # a checkout of Windows has files that name the target
            assert link.read_text(encoding="utf-8").strip() == f"../../../{name}"
        else:
            assert link.resolve() == ROOT / name


def test_the_skill_names_every_tool_and_its_toolset() -> None:
    """Our promise: the skill teaches the tools there are."""
    page = (PLUGIN / "skills" / "using-mtu" / "SKILL.md").read_text(encoding="utf-8")
    rows = [re.findall(r"`([a-z_]+)`", row) for row in page.splitlines() if row.startswith("| ") and "`" in row]
    known = {row[0]: row for row in rows}
    assert set(TOOLS) <= {name for row in rows for name in row}
    for name, tool in TOOLS.items():
        if tool.toolset != "core" and name in known:
            assert known[name][-1] == tool.toolset
    head = page.split("---\n")[1]
    assert len(re.findall(r"description: (.*)", head)[0]) <= 1024


def test_a_command_calls_tools_that_exist() -> None:
    """A tool that a command may use is called `mcp__plugin_PLUGIN_SERVER__TOOL`."""
    for file in PLUGIN.glob("commands/*.md"):
        for name in re.findall(r"mcp__plugin_mtu_mtu__(\w+)", file.read_text(encoding="utf-8")):
            assert name in TOOLS or name == "explain_setup"


def test_the_bundle_holds_the_package_and_nothing_of_a_developer(packed: dict[str, bytes]) -> None:
    """MCPB: the manifest at the root; for uv a pyproject.toml, and no environment."""
    assert {"manifest.json", "pyproject.toml", "icon.png", "LICENSE", "README.md", "src/desktop.py"} <= set(packed)
    inside = {name for name in packed if name.startswith("src/mtu_mcp/")}
    assert {"src/mtu_mcp/__init__.py", "src/mtu_mcp/sandbox/fonts/OFL.txt"} <= inside
    assert not [name for name in packed if re.search(r"tests?/|__pycache__|\.pyc$|/\.|\.venv|\.lock$", name)]
    assert list(packed) == sorted(packed)


def test_the_same_sources_make_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    """Our promise: whoever builds it can compare it with what was published."""
    assert run(sys.executable, PACKAGING / "build_bundle.py", tmp_path).returncode == 0
    assert (tmp_path / bundle.name).read_bytes() == bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_bundle_installs_what_the_project_needs(packed: dict[str, bytes]) -> None:
    """Our promise: the same dependencies everywhere, at the versions that were tested."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    theirs = tomllib.loads(packed["pyproject.toml"].decode())
    assert theirs["project"]["dependencies"] == ours["dependencies"]
    assert theirs["project"]["requires-python"] == ours["requires-python"]
    assert theirs["tool"]["uv"]["package"] is False
    assert any(pin.startswith("mcp==") for pin in theirs["tool"]["uv"]["constraint-dependencies"])


def test_the_form_of_the_bundle_fills_settings_that_exist(packed: dict[str, bytes]) -> None:
    """MCPB: a list of folders can stand in arguments alone, everything else in the environment."""
    manifest = json.loads(packed["manifest.json"])
    assert manifest["manifest_version"] == "0.4"
    assert manifest["server"]["type"] == "uv"
    assert manifest["server"]["entry_point"] in packed
    launch = manifest["server"]["mcp_config"]
    used = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(launch)))
    assert used == set(manifest["user_config"])
    assert launch["args"][-1] == "${user_config.allowed_dirs}"
    assert set(launch["env"]) <= VARIABLES
    for name, field in manifest["user_config"].items():
        assert variable(name) in VARIABLES
        assert field["type"] in ("string", "number", "boolean", "directory", "file")
        assert field["title"]
        assert field["description"]
    assert manifest["user_config"]["api_key"]["sensitive"] is True
    assert (
        manifest["user_config"]["allowed_dirs"] | {"type": "directory", "multiple": True, "default": []}
        == (manifest["user_config"]["allowed_dirs"])
    )
    for value in launch["env"].values():
        assert not Settings.read(dict.fromkeys(launch["env"], value)).problems  # fields left empty


def test_the_bundle_shows_the_tools_that_are_listed_at_first() -> None:
    """MCPB: `tools` is what a person sees before installing."""
    shown = [
        {"name": name, "description": " ".join((tool.fn.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."}
        for name, tool in CORE.items()
    ]
    manifest = read(BUNDLE)
    if os.environ.get("MTU_UPDATE"):
        text = json.dumps(manifest | {"tools": shown}, indent=2, ensure_ascii=False)
        BUNDLE.write_text(text + "\n", encoding="utf-8")
        return
    assert manifest["tools"] == shown


def test_the_bundle_is_described_in_chinese_too(packed: dict[str, bytes]) -> None:
    """MCPB, "Localization": what stays in the manifest is English; a file beside it for each other language."""
    manifest = json.loads(packed["manifest.json"])
    where = manifest["localization"]["resources"].replace("${locale}", "zh-CN")
    chinese = json.loads(packed[where])
    words = read(ROOT / "tests" / "house" / "chinese.json")
    assert set(chinese) == {"display_name", "description", "long_description", "author", "keywords", "tools"}
    assert len(chinese["keywords"]) == len(manifest["keywords"])
    assert chinese["long_description"].count("\n- ") == manifest["long_description"].count("\n- ")
    assert chinese["tools"] == [
        {"name": tool["name"], "description": words[tool["description"]]} for tool in manifest["tools"]
    ]


def test_the_folders_chosen_in_the_form_become_the_setting(tmp_path: Path) -> None:
    """MCPB: each folder is an argument of its own; a placeholder means none was chosen."""
    program = tmp_path / "src" / "desktop.py"
    package = program.parent / "mtu_mcp"
    package.mkdir(parents=True)
    shutil.copy(PACKAGING / "claude-desktop" / "desktop.py", program)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "cli.py").write_text(
        "import os\ndef main(argv):\n    print(argv, os.environ.get('MTU_ALLOWED_DIRS'))\n    return 0\n",
        encoding="utf-8",
    )
    one, two = str(tmp_path / "a folder"), str(tmp_path / "b")
    assert run(sys.executable, program, one, two).stdout.strip() == f"['serve'] {one};{two};"
    assert run(sys.executable, program, "${user_config.allowed_dirs}").stdout.strip() == "['serve'] None"
    assert Settings.read({"MTU_ALLOWED_DIRS": f"{one};{two};"}).allowed_dirs == (Path(one), Path(two))


def test_the_registry_entry_follows_its_schema() -> None:
    """server.json, 2025-12-11: lengths, the form of the name, and a transport that the package type allows."""
    entry = read(ROOT / "server.json")
    assert entry["$schema"].endswith("/2025-12-11/server.schema.json")
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert 1 <= len(entry["description"]) <= 100
    assert 1 <= len(entry["title"]) <= 100
    [package] = entry["packages"]
    assert (package["registryType"], package["identifier"]) == ("pypi", "mtu-mcp")
    assert package["transport"] == {"type": "stdio"}
    assert package["packageArguments"] == [{"type": "positional", "value": "serve"}]
    named = {one["name"]: one for one in package["environmentVariables"]}
    assert set(named) <= VARIABLES
    assert all(one["description"].endswith(".") for one in named.values())
    assert [name for name, one in named.items() if one.get("isSecret")] == ["MTU_API_KEY"]
    assert named["MTU_BASE_URL"]["default"] == DEFAULT_BASE_URL
    for name, one in named.items():
        assert one.get("format", "string") in ("string", "number", "boolean", "filepath")
        if "default" in one:
            assert not Settings.read({name: one["default"]}).problems


def test_the_package_page_says_whose_it_is_in_the_registry() -> None:
    """MCP registry, package types: PyPI's description must hold `mcp-name: NAME`."""
    assert f"mcp-name: {read(ROOT / 'server.json')['name']}" in (ROOT / "README.md").read_text(encoding="utf-8")


def script(name: str) -> dict[str, Any]:
    """What a script of `packaging/` defines."""
    defined: dict[str, Any] = {"__name__": name, "__file__": str(PACKAGING / f"{name}.py")}
    exec((PACKAGING / f"{name}.py").read_text(encoding="utf-8"), defined)
    return defined


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures have one size and look the same."""
    with Image.open(io.BytesIO(one)) as stored, Image.open(io.BytesIO(other)) as fresh:
        difference = ImageChops.difference(stored.convert("RGBA"), fresh.convert("RGBA"))
        return stored.size == fresh.size and max(ImageStat.Stat(difference).mean) < 4


def test_the_icon_is_drawn_from_one_set_of_numbers() -> None:
    """Our promise: plugin, bundle and server show the same picture; Pillow's versions may smooth a little otherwise."""
    drawn = script("draw_icon")
    assert drawn["svg"]() == icon.SVG
    assert alike((PLUGIN / ".claude-plugin" / "icon.png").read_bytes(), drawn["png"](512))
    assert alike(base64.b64decode(icon.PNG), drawn["png"](drawn["SMALL"]))


def test_the_tools_icons_are_drawn_from_one_set_of_numbers() -> None:
    """Our promise: each tool's icon can be made again; Pillow's versions may smooth a little otherwise."""
    drawn = script("draw_tool_icons")["drawn"]()
    assert set(drawn) == set(TOOLS) == {file.stem for file in TOOL_ICONS.glob("*.png")}
    for name, png in drawn.items():
        assert alike((TOOL_ICONS / f"{name}.png").read_bytes(), png), name


def test_the_icon_costs_little() -> None:
    """MCP 2026-07-28: the server's name and icons go with every answer."""
    assert sum(len(one.src) for one in icon.icons()) < 1500
    assert {one.mime_type for one in icon.icons()} == {"image/svg+xml", "image/png"}


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: comments dropped, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split()[0].upper(), line.partition(" ")[2].strip()) for line in lines if line.strip()]


def test_the_image_runs_the_server_as_nobody_with_no_key() -> None:
    """Dockerfile reference; our promise: stdio by default, not as root, and no secret in any layer."""
    known = {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "LABEL",
        "ENV",
        "USER",
        "VOLUME",
        "HEALTHCHECK",
        "EXPOSE",
        "ENTRYPOINT",
        "CMD",
    }
    instructions = dockerfile()
    assert {name for name, _ in instructions} <= known
    last = dict(instructions)
    assert json.loads(last["ENTRYPOINT"]) == ["mtu-mcp"]
    assert json.loads(last["CMD"]) == ["serve"]
    assert last["USER"].split(":")[0] not in ("0", "root")
    assert "CMD" in last["HEALTHCHECK"]
    order = [name for name, _ in instructions]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert all("-slim" in rest for name, rest in instructions if name == "FROM")
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"^(ENV|ARG).*(KEY|TOKEN)=", text, re.MULTILINE)
    assert f'io.modelcontextprotocol.server.name="{read(ROOT / "server.json")["name"]}"' in text


def test_the_image_is_built_from_files_that_are_sent_to_the_builder() -> None:
    """Dockerfile reference: what .dockerignore holds back cannot be copied; ours lets in what is named, alone."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        name
        for instruction, rest in dockerfile()
        if instruction == "COPY" and "--from=" not in rest
        for name in rest.split()[:-1]
    }
    assert copied == let_in
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for needed in [project["readme"], *project["license-files"]]:
        assert needed.split("/")[0] in copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_settings_of_the_image_are_settings() -> None:
    """Our promise: what the image sets, the server reads."""
    values = " ".join(rest for name, rest in dockerfile() if name == "ENV")
    assert set(re.findall(r"(MTU_\w+)=", values)) <= VARIABLES


@pytest.mark.skipif(not shutil.which("claude"), reason="Claude Code is not installed")
@pytest.mark.parametrize("folder", [ROOT, PLUGIN], ids=["marketplace", "plugin"])
def test_claude_code_finds_the_plugin_valid(tmp_path: Path, folder: Path) -> None:
    """`claude plugin validate --strict`."""
    done = run("claude", "plugin", "validate", folder, "--strict", home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation passed" in done.stdout


@pytest.mark.skipif(not shutil.which("mcpb"), reason="the bundle tool is not installed")
def test_the_bundle_tool_finds_the_manifest_valid(tmp_path: Path) -> None:
    """`mcpb validate`."""
    assert run(sys.executable, PACKAGING / "build_bundle.py", "--unpacked", tmp_path).returncode == 0
    done = run("mcpb", "validate", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say() -> None:
    """hadolint, its default rules."""
    done = run("hadolint", ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout
