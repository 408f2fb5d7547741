"""What this machine keeps of files that lie afar."""
