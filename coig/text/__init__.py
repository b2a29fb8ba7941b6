"""What can be said of one text: its language, words and diversity; cleaning and think tags."""
