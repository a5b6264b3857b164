"""Common parts of both web applications: forms, CSRF refusals, health check, access log."""
