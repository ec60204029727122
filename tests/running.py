"""Running commands in the process of a test."""


def runner(main, capture):
    """Return a function that calls `main`: (exit code, stdout, stderr); `capture` is capsys or capfd."""

    def run(*argv):
        try:
            code = main([str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code
        out, err = capture.readouterr()
        return code, out, err

    return run
