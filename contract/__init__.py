"""Contract between intake and press: the comment and its file, the conversation, the manifest of the site. Imports neither."""
