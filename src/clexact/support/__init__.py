"""What every room may use and that knows nothing of mathematics: files, limits, threads, errors, display."""
