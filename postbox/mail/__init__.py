"""Mail to author and readers: composed, made a message, sent by SMTP, retried."""
