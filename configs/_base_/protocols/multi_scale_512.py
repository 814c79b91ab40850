# Multi-scale tests, `--tta`: half to one and three quarters of a short side of 512, and mirrored.
tta = dict(scales=[(512 * quarters, 128 * quarters) for quarters in range(2, 8)], flip=True)
