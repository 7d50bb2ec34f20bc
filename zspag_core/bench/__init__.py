"""How fast ZS-PAG is: beside the least its own work can cost, beside a literal implementation, beside retraining."""

from zspag_core.bench.measure import BenchConfig, run_bench
from zspag_core.bench.report import as_text

__all__ = ["BenchConfig", "as_text", "run_bench"]
