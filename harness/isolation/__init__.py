"""Isolation: a cell that dies costs only itself.

    pytest controller ── host ──► zygote (one warm process) ──► a forked child per cell
    pytest worker ── client ── AF_UNIX socket ──► zygote

- The controller owns the listening socket and hands it to the zygote, so that workers may connect
  at any time: before the zygote is warm, and while one that died is being replaced.
- The zygote has one thread. It imports and warms up once, then forks; it never runs a cell itself.
- Everything that a cell leaves behind (processes, files, output) is inside its process group, its
  own folder and its own log, and is gone before its result is told.
- A guard outlives the controller by a moment, so that nothing is left even if it is killed.
- Memory is what an attempt adds to the warm zygote it started from, limit and peak alike.

Modules: `host` (starts and replaces the zygote), `guard` (clears up after it), `zygote` (its loop),
`warming` (what it imports), `running` (a fork as the zygote sees it), `child` (what the fork does),
`cold` (a process without any of it, to compare with), `endings` (pure: how it ended → a result),
`client` (what a worker calls), `messages` (what they say to each other), `processes` (what Linux
knows of processes).
"""
