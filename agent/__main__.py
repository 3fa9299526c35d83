"""
``python -m cvmpair_agent``.
"""

from cvmpair_agent.main import main

main()
