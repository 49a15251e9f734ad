"""A stand-alone script for a cell: what a maintainer runs without this project."""
