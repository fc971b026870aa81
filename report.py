"""What each tenant cost. See README.md."""

from lib.cli.report import main

if __name__ == "__main__":
    main()
