"""The embedded default: data, queries, tokenizer and a tiny model, all original work of this project."""
