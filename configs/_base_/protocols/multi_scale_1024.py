# Multi-scale tests, `--tta`: half to one and three quarters of 2048 x 1024, and mirrored.
tta = dict(scales=[(512 * quarters, 256 * quarters) for quarters in range(2, 8)], flip=True)
