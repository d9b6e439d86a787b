"""`python -m fablab` is the `fablab` command."""

from fablab.cli import main

if __name__ == "__main__":
    main()
