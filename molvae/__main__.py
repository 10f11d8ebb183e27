"""`python -m molvae` is the command `molvae`."""

from molvae.cli.main import main

if __name__ == "__main__":
    main()
