"""Intake: the public web application that takes what readers send. It cannot publish."""
