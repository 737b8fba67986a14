"""``python -m shadegrad`` is the command ``shadegrad``."""

import subprocess
import sys

from shadegrad._command import command

if __name__ == "__main__":
    try:
        sys.exit(subprocess.call([command(), *sys.argv[1:]]))
    except KeyboardInterrupt:
        sys.exit(130)
