"""Import of a WordPress, Disqus or Isso site, or of comments in the exchange format: files in, files and held comments out."""
