NAME = "the tool of the source root"
