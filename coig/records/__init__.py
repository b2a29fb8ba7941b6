"""The records that stages hand each other: queries, answers, judgments, labels."""
