"""What both web applications share: forms, CSRF refusals, health check, access log."""
