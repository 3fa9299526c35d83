"""
Disks that are read without being mounted.
"""
