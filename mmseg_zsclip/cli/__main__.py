import sys

from mmseg_zsclip.cli import main

sys.exit(main())
