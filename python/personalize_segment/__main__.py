"""The installed command, and `python -m personalize_segment`."""

import sys


def main() -> None:
    """Run the command line; without the packages it needs, name the extra that brings them."""
    try:
        from .cli import main as run
    except ModuleNotFoundError as error:
        sys.exit(
            f"personalize-segment: {error.name} is missing: install personalize-segment[cli],"
            " or an extra that includes it, such as personalize-segment[export]."
        )
    except KeyboardInterrupt:  # while it loads
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
