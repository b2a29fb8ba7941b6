"""Model judges: what they are worth, how they err, and win rates of people and judges together."""
