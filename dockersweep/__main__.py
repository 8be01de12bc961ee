"""`python -m dockersweep`."""

import sys

from dockersweep.cli import main

sys.exit(main())
