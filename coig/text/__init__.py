"""Functions of a single text: cleaning, think tags, language, words, lexical diversity."""
