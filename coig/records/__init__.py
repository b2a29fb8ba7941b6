"""What stages hand each other: queries, answers, judgments, labels."""
