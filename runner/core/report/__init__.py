"""The report of a run: one object (`made`), and what it looks like (`markdown`, `junit`).

HTML is made of the same object by `runner.steps.reporting`.
"""
