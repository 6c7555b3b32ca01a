"""Write projects and modules: answers → plan → files in memory → staged → moved.

`names` checks what the user typed, `answers` holds it as plain data, `hues` colours the
modules, `plan` turns it into finished files, `write` puts them on disk whole or not at all,
`records` remembers them, `remove` takes a module away again. Nothing here imports Tornado or
reads a running site.
"""
