"""Worldloom: words, pictures, clips and actions in; video worlds out."""
