"""Tests of moving in: exports in the real formats, written for the purpose."""
