"""Private data of readers and desk in SQLite: submissions, subscriptions, messages, decisions, outbox, erasures."""
