"""What is said of a take, in English and Chinese."""
