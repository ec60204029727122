"""Black-box search on tabular benchmarks: which cell is best?

Each algorithm is a module and a command: `blackbox.re`, `blackbox.rs`, …; `blackbox.compare` runs several,
`blackbox.report` shows runs as a page. Import from the modules.
"""
