"""`python -m molvae` is the command `molvae`."""

import signal


def run() -> None:
    """Run the command line and exit; Ctrl-C while it is imported ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # `main` handles it: now nothing could be lost
    from molvae.cli.main import main

    main()


if __name__ == "__main__":
    run()
