"""What is said on a pull request, and what is asked for there: texts in, texts out.

`report` is what a pull request is told; `comment` and `check` render it. `commands` reads what
people ask for in comments, `answers` replies. `events` reads what GitHub sends.
"""
