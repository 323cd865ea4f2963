"""Language to vectors: tokenizer and text encoder."""
