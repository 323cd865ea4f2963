"""What everything needs and nothing above it knows: errors, randomness, files, configs, devices, video files."""
