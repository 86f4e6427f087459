"""Find the AWS provider on this machine, so that `terraform init` needs no registry.

    eval "$(python tools/tfmirror.py .build/terraform.tfrc)"

Prints the variables to export: TF_CLI_CONFIG_FILE with a file that names the mirror. Prints nothing if no mirror is
needed or found. Then `terraform init` uses the registry. TF_CLI_ARGS_init and TF_CLI_CONFIG_FILE are kept if they lead
to the provider. Terraform checks the version constraint, this tool doesn't.
"""

import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HOST = "registry.terraform.io"
PROVIDER = "hashicorp/aws"
#: Conventional folders of mirrors. Only two levels below each are searched, which is fast.
BASES = (
    "/opt",
    "/usr/local",
    "/usr/local/share",
    "/usr/local/lib",
    "/usr/share",
    "/usr/lib",
    "/srv",
    "/var/lib",
    "/mnt",
)
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def environment(file: Path, environ: Mapping[str, str] = os.environ, bases: tuple[str, ...] = BASES) -> dict[str, str]:
    """Return the variables to set for `terraform init`. Write `file` if it must name a mirror."""
    arguments = environ.get("TF_CLI_ARGS_init", "")
    folders = _PLUGIN_DIR.findall(arguments)
    if folders and all(holds_provider(Path(folder)) for folder in folders):
        return {}
    # Arguments override every configuration, so an argument that leads nowhere is removed.
    changed = {"TF_CLI_ARGS_init": _PLUGIN_DIR.sub("", arguments).strip()} if folders else {}
    named = environ.get("TF_CLI_CONFIG_FILE") or environ.get("TERRAFORM_CONFIG")
    text = _text(Path(named) if named else _home(environ) / ".terraformrc")
    if text and _says_where(text):
        return changed
    found = find(environ, bases)
    if found is None:
        # Terraform warns about a missing file at every command.
        return changed | ({"TF_CLI_CONFIG_FILE": os.devnull} if named and text is None else {})
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = "" if text is None or "provider_installation" in text else text  # only one such block is allowed
    file.write_text(kept + _INSTALLATION.format(path=found), "utf-8")
    return changed | {"TF_CLI_CONFIG_FILE": str(file.absolute())}


_PLUGIN_DIR = re.compile(r"--?plugin-dir[= ](\S+)")
_INSTALLATION = f"""
provider_installation {{{{
  filesystem_mirror {{{{
    path    = "{{path}}"
    include = ["{HOST}/{PROVIDER}"]
  }}}}
  direct {{{{
    exclude = ["{HOST}/{PROVIDER}"]
  }}}}
}}}}
"""


def _says_where(text: str) -> bool:
    """Return whether a CLI configuration leads to the provider, judging by its folders."""
    if "provider_installation" not in text:
        return False
    folders = re.findall(r'^\s*path\s*=\s*"([^"]+)"', text, re.MULTILINE)
    return not folders or any(holds_provider(Path(folder)) for folder in folders)


def _text(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def find(environ: Mapping[str, str], bases: tuple[str, ...] = BASES) -> Path | None:
    """Return the first folder that holds the provider for this machine, as a filesystem mirror."""
    for folder in _candidates(environ, bases):
        if holds_provider(folder):
            return folder.resolve()
    return None


def holds_provider(folder: Path) -> bool:
    """Return whether `folder` has a version of the provider for this machine, unpacked or packed."""
    system = f"{platform.system().lower()}_{_MACHINES.get(platform.machine().lower(), platform.machine().lower())}"
    versions = folder / HOST / PROVIDER
    return any(versions.glob(f"*/{system}")) or any(versions.glob(f"*_{system}.zip"))


def _candidates(environ: Mapping[str, str], bases: tuple[str, ...]) -> Iterator[Path]:
    home = _home(environ)
    for name in ("TF_PLUGIN_MIRROR", "TF_PLUGIN_CACHE_DIR"):  # a cache has the layout of a mirror
        yield from (Path(one).expanduser() for one in environ.get(name, "").split(os.pathsep) if one)
    yield home / ".terraform.d/plugins"
    yield home / ".terraform.d/plugin-cache"
    data = [environ.get("XDG_DATA_HOME") or str(home / ".local/share")]
    data += (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    yield from (Path(one) / "terraform/plugins" for one in data)
    for base in (str(home), *bases):
        for depth in ("", "*/", "*/*/"):
            yield from sorted(path.parent for path in _readable(Path(base), depth + HOST))


def _readable(base: Path, pattern: str) -> list[Path]:
    try:
        return list(base.glob(pattern))
    except PermissionError:
        return []


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


if __name__ == "__main__":
    for name, value in environment(Path(sys.argv[1] if len(sys.argv) > 1 else ".build/terraform.tfrc")).items():
        print(f"export {name}={shlex.quote(value)}")
