"""Turns cells into a stored, classified, compared run.

`core` is pure: values in, values out. `store`, `execute`, `revisions` each talk to one outside
thing and none imports another; `steps` is the only place where they meet; `cli` calls `steps`.
"""
