"""
What the agent does, command by command.
"""
