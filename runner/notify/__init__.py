"""Where people are told of what came of a run: Slack-compatible webhooks, and mail.

Each raises `NotifyError` once it has been tried often enough; none ever prints its address, which
is a secret.
"""
