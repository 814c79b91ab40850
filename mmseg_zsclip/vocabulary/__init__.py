"""What classes are called, which are seen, and what a pixel of a label map may hold.

The ground floor: imports neither torch nor MMSegmentation, and every other part may read it.
"""
