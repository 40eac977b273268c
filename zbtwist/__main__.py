"""The program `zbgate`, and `python -m zbtwist`: brings in the gateway, and runs it.

What is brought in stays to the end, and is a hundred thousand objects. To look for garbage among
them, again and again while they come, would take a part of the start.
"""

import gc


def main() -> None:
    """See `zbtwist.app.command.main`."""
    gc.disable()
    try:
        from zbtwist.app import command
    finally:
        gc.enable()
    command.main()


if __name__ == "__main__":
    main()
