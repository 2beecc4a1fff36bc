"""The command `rekon`, one file for each noun, put together in `app.py`.

May import everything: it stands above the composition root and gets clock, ids and settings from there.
With `--json` a command prints JSON alone on stdout. Exit codes: 0 done, 1 found something, 2 wrong use, 3 refused for
safety, 4 outside fault. Start reading at `app.py`.
"""


def main() -> None:
    """Run the command line, importing it only now so that other users of the package do not pay for it."""
    from rekon.cli.app import app

    app()
