"""Assets: pictures, linked files, social images and the style, made for the page."""
