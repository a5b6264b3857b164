"""Writing at the desk: articles and pages as their files, unfinished texts, earlier versions, publishing."""
