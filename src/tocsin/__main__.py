"""Run the command line: ``python -m tocsin``."""

from tocsin.cli import run

if __name__ == "__main__":
    run()
