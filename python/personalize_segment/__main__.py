"""The installed command, and `python -m personalize_segment`."""

import sys

from . import __version__


def main() -> None:
    """Run the command line. If a package is missing, name the extra that installs it. `--version` needs none."""
    try:
        from .cli import main as run
    except ModuleNotFoundError as error:
        if sys.argv[1:] == ["--version"]:
            print(__version__)
            return
        sys.exit(
            f"personalize-segment: {error.name} isn't installed. Install personalize-segment[cli],"
            " or an extra that includes it, such as personalize-segment[export]."
        )
    except KeyboardInterrupt:  # while loading
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
