"""What a person sees on the terminal: progress, notices and tables."""
