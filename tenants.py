"""Day-to-day work on tenants. See README.md."""

from lib.cli.tenants import main

if __name__ == "__main__":
    main()
