"""``python -m ssshelf``: the command line."""

from ssshelf.cli import main

if __name__ == "__main__":
    main()
