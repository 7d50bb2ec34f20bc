"""How well a model forgot: accuracy, membership inference, deep forgetting, and how good its proxies were.

Nothing is imported here: `catalogue` is read by pages and by the command line, where loading torch takes too long.
"""
