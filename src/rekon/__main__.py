"""Run the command line as `python -m rekon`."""

from rekon.cli import main

main()
