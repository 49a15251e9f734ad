"""The steps of a run: the only place where store, execute and revisions meet."""
