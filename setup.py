"""Bring AWS to what config.json says. See README.md."""

from lib.cli.setup import main

if __name__ == "__main__":
    main()
