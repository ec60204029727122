"""Black-box search on tabular benchmarks: which cell is best?

Each algorithm is a module and a command: `blackbox.re`, `blackbox.rs`. Import from the modules.
"""
