"""What importing the report costs."""

import subprocess
import sys


def test_importing_the_report_loads_no_plotting_and_no_training_library() -> None:
    # oracle: the modules of a fresh process
    code = "import sys, supernet_tl.report; print(sorted({'matplotlib', 'lightning', 'ot'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
