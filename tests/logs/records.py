"""A slow reference reader of logs, in plain Python, written apart from the one it checks.

It looks at a whole file at once, at each byte where need be, and does what the docstring of
`fixlab.logs.read_log` says. Nothing of the package but its tables of tags is used.
"""
