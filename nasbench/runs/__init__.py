"""Shared parts of all commands: settings, errors, files, interrupts, progress."""
