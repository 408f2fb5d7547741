"""Where labelled images come from: folders as people have them, tables, Meta-Album folders, the pocket album."""
