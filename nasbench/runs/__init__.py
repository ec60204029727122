"""What all commands share: settings, errors, files, interrupts, progress."""
