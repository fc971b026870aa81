"""Remove everything setup made, and prove it. See README.md."""

from lib.cli.unsetup import main

if __name__ == "__main__":
    main()
