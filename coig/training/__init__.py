"""Train one arm; `run.py` imports torch only when there is something to train."""
