"""What everything needs and nothing above it knows: errors, seeds, files, configs, devices, video files."""
