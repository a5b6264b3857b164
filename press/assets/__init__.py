"""Assets: pictures, social images and the style, made for the page."""
