"""
What can go wrong with a disk.
"""


class VolumeUnreadable(Exception):
    """
    A file system is damaged, refused or unlike any that carries a context; the text
    says which disk it is on, and why.
    """
