"""Statistics of arrays: intervals, paired and clustered tests, Bradley–Terry strengths, agreement, power."""
