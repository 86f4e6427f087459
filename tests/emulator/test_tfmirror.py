"""The provider is found in conventional folders, and explicit configuration is kept."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "tfmirror.py"
sys.path.insert(0, str(TOOL.parent))

from tfmirror import environment, find, holds_provider  # noqa: E402 - tools aren't a package

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
SYSTEM = f"{platform.system().lower()}_{MACHINE}"


def mirror(folder: Path, *, system: str = SYSTEM, packed: bool = False, provider: str = "hashicorp/aws") -> Path:
    versions = folder / "registry.terraform.io" / provider
    path = versions / (f"terraform-provider-aws_5.100.0_{system}.zip" if packed else f"5.100.0/{system}")
    path.parent.mkdir(parents=True)
    path.touch() if packed else path.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def found(home: Path, *bases: Path, **environ: str) -> dict[str, str]:
    """Return the variables to set, searching only `home` and `bases`."""
    known = {"HOME": str(home), "XDG_DATA_DIRS": str(home / "data")} | environ
    return environment(home / "out" / "found.tfrc", known, tuple(str(base) for base in bases))


@pytest.mark.parametrize(
    ("place", "variables"),
    [
        pytest.param("home/.terraform.d/plugins", {}, id="plugins of the user"),
        pytest.param("home/.terraform.d/plugin-cache", {}, id="cache of the user"),
        pytest.param("home/.local/share/terraform/plugins", {}, id="data of the user"),
        pytest.param("home/data/terraform/plugins", {}, id="data of the system"),
        pytest.param("home/mirror", {}, id="a folder in the home"),
        pytest.param("opt", {}, id="a base itself"),
        pytest.param("opt/one/two", {}, id="two below a base"),
        pytest.param("far/away/from/here", {"TF_PLUGIN_MIRROR": "nowhere:{}"}, id="TF_PLUGIN_MIRROR"),
        pytest.param("far/away/from/here", {"TF_PLUGIN_CACHE_DIR": "{}"}, id="TF_PLUGIN_CACHE_DIR"),
    ],
)
def test_a_mirror_is_found_and_named_in_a_configuration(
    home: Path, tmp_path: Path, place: str, variables: dict[str, str]
) -> None:
    folder = mirror(tmp_path / place)
    named = {name: value.format(folder) for name, value in variables.items()}
    answer = found(home, tmp_path / "opt", **named)
    assert answer == {"TF_CLI_CONFIG_FILE": str(home / "out" / "found.tfrc")}
    assert f'path    = "{folder}"' in Path(answer["TF_CLI_CONFIG_FILE"]).read_text()


def test_a_mirror_too_deep_is_not_looked_for(home: Path, tmp_path: Path) -> None:
    mirror(tmp_path / "opt/one/two/three")
    assert found(home, tmp_path / "opt") == {}


@pytest.mark.parametrize(
    ("layout", "held"),
    [
        pytest.param({}, True, id="unpacked"),
        pytest.param({"packed": True}, True, id="packed"),
        pytest.param({"system": "plan9_mips"}, False, id="for another system"),
        pytest.param({"system": "plan9_mips", "packed": True}, False, id="packed for another system"),
        pytest.param({"provider": "hashicorp/random"}, False, id="another provider"),
    ],
)
def test_a_mirror_holds_the_provider_for_this_machine(tmp_path: Path, layout: dict[str, str], held: bool) -> None:
    mirror(tmp_path / "opt", **layout)  # type: ignore[arg-type]
    assert holds_provider(tmp_path / "opt") is held
    assert (find({"HOME": str(tmp_path / "home")}, (str(tmp_path / "opt"),)) is not None) is held


def test_without_a_mirror_nothing_is_set_and_the_registry_is_asked(home: Path) -> None:
    assert found(home) == {}
    assert not (home / "out").exists()


def test_a_plugin_dir_that_leads_to_the_provider_is_kept(home: Path, tmp_path: Path) -> None:
    mirror(tmp_path / "opt")
    own = mirror(tmp_path / "own")
    assert found(home, tmp_path / "opt", TF_CLI_ARGS_init=f"-upgrade -plugin-dir={own}") == {}


def test_a_plugin_dir_that_leads_nowhere_is_taken_out(home: Path, tmp_path: Path) -> None:
    mirror(tmp_path / "opt")
    answer = found(home, tmp_path / "opt", TF_CLI_ARGS_init="-upgrade -plugin-dir=/nowhere")
    assert answer.pop("TF_CLI_CONFIG_FILE")
    assert answer == {"TF_CLI_ARGS_init": "-upgrade"}


def configuration(path: Path) -> str:
    return f'provider_installation {{\n  filesystem_mirror {{\n    path = "{path}"\n  }}\n}}\n'


@pytest.mark.parametrize("name", ["TF_CLI_CONFIG_FILE", ".terraformrc"])
def test_a_configuration_that_leads_to_the_provider_is_kept(home: Path, tmp_path: Path, name: str) -> None:
    mirror(tmp_path / "opt")
    file = home / ".terraformrc" if name == ".terraformrc" else tmp_path / "own.tfrc"
    file.write_text(configuration(mirror(tmp_path / "own")))
    variables = {} if name == ".terraformrc" else {name: str(file)}
    assert found(home, tmp_path / "opt", **variables) == {}


def test_a_configuration_that_leads_nowhere_is_replaced(home: Path, tmp_path: Path) -> None:
    folder = mirror(tmp_path / "opt")
    (home / ".terraformrc").write_text(configuration(tmp_path / "gone"))
    text = Path(found(home, tmp_path / "opt")["TF_CLI_CONFIG_FILE"]).read_text()
    assert (text.count("provider_installation"), str(folder) in text) == (1, True)


def test_the_rest_of_a_configuration_is_kept(home: Path, tmp_path: Path) -> None:
    mirror(tmp_path / "opt")
    own = tmp_path / "own.tfrc"
    own.write_text("disable_checkpoint = true\n")
    answer = found(home, tmp_path / "opt", TF_CLI_CONFIG_FILE=str(own))
    assert Path(answer["TF_CLI_CONFIG_FILE"]).read_text().startswith("disable_checkpoint = true\n")
    assert own.read_text() == "disable_checkpoint = true\n"


def test_a_configuration_file_that_is_missing_gives_way_to_none(home: Path) -> None:
    assert found(home, TF_CLI_CONFIG_FILE="/nowhere/terraform.tfrc") == {"TF_CLI_CONFIG_FILE": os.devnull}


def test_the_command_prints_what_a_shell_can_evaluate(home: Path, tmp_path: Path) -> None:
    folder = mirror(tmp_path / "with blank")
    out = tmp_path / "a blank" / "found.tfrc"
    script = f'eval "$("{sys.executable}" "{TOOL}" "{out}")" && printf %s "$TF_CLI_CONFIG_FILE"'
    variables = {"HOME": str(home), "TF_PLUGIN_MIRROR": str(folder), "PATH": os.environ["PATH"]}
    done = subprocess.run(["/bin/sh", "-c", script], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == str(out)
    assert str(folder) in out.read_text()
