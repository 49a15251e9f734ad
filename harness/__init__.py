"""Turns a cell into a result.

At import this package needs pytest and the standard library alone; torch, Transformers and the
exporters are imported inside functions, in the processes that run cells. It knows neither the
database nor the dashboard nor GitHub.
"""
