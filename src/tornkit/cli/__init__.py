"""The command line: one file per command or group, each of which parses, calls, prints.

`tornkit.cli._main` knows every command by name only, and imports the one that is run.
"""
