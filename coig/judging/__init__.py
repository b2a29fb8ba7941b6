"""Let models judge the arms' answers: pairs, rankings, ratings, and labels of reasoning steps."""

from coig.judging.run import judge

__all__ = ["judge"]
