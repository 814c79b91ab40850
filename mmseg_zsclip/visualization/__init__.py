"""Label maps as pictures: painted, beside the photo, and class by class.
`--show-dir` adds the hooks."""
