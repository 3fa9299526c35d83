"""
Speed and size of the daemon, side by side with a bare ``twisted.web`` resource.
"""
