"""
The files of the machine: where they are under another root, and how one is replaced.
"""
