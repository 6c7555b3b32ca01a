"""Start the command line: ``tornkit`` and ``python -m tornkit``."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from tornkit.cli._main import cli  # noqa: PLC0415  a child process may import this module

    cli.main(prog_name="tornkit")


if __name__ == "__main__":
    main()
