"""Executes shards: `shard` says what shards and executors are, `local` runs one on this machine."""
