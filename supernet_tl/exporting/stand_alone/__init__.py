"""Files that an export carries with it: they import nothing of this project, and are copied as they are."""
