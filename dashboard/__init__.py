"""Turns questions into pages. It reads through `runner.store`, never with SQL of its own."""
