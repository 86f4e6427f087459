"""`python -m personalize_segment.cli`."""

from . import main

main()
