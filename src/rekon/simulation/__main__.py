"""Run the simulator as `python -m rekon.simulation`."""

import sys

from rekon.simulation.many import main

if __name__ == "__main__":
    sys.exit(main())
