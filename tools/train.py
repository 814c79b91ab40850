"""`zsclip train` as a script: what mim and torchrun start."""

import sys

from mmseg_zsclip.cli import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
