"""`python -m tts`: see `tts.cli`."""

import sys

from tts.cli import main

sys.exit(main())
