"""`python -m localhub`: the command line of the embedded Hub."""

from localhub.cli import main

if __name__ == "__main__":
    main()
