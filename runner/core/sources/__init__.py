"""What sources a cell can depend on, read from their text alone; nothing is imported.

`definitions` takes a module apart, `reach` follows what its parts name, `fingerprint` makes a
number of what was reached.
"""
