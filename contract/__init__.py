"""What intake and press agree on: the comment and its file, the conversation, the manifest of the site. Imports neither."""
