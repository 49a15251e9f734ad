"""Talks to GitHub: `github` sends requests, `comments` and `checks` post once, `pulls` reads."""
