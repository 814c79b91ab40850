"""Segments a photo with the files of `zsclip export`, by NumPy, ONNX Runtime and Pillow alone.

    zsclip export toy_maskclip --out toy.onnx --classes "tree; sky; road"
    python demo/onnx_example.py toy.onnx photo.png labels.png

Labels are the classes' numbers, in the order of --classes. What is left to the caller is in
docs/export.md: here, the size that the network sees, and the way back to the photo's.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

model, photo, out = map(Path, sys.argv[1:])
session = onnxruntime.InferenceSession(model)
outside = json.loads(session.get_modelmeta().custom_metadata_map['outside_the_graph'])
words = np.load(model.with_suffix('.npz'))
inputs = {one.name: words[one.name] for one in session.get_inputs() if one.name in words}

image = Image.open(photo).convert('RGB')
size, resize = image.size, outside['resize']
if resize.get('keep_ratio'):  # within (long, short)
    (short, long), sides = sorted(resize['scale']), sorted(size)
    size = [round(side * min(long / sides[1], short / sides[0])) for side in size]
elif resize:
    size = resize['scale']
small = image.resize(size, Image.Resampling.BILINEAR)
pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None]  # (1, 3, H, W), RGB, 0 to 255
(scores,) = session.run(None, {'image': pixels, **inputs})  # (1, C, H, W)

labels = Image.fromarray(scores[0].argmax(0).astype(np.uint8))
labels.resize(image.size, Image.Resampling.NEAREST).save(out)
for i, name in enumerate(words['classes']):
    print(f'{i} {name}: {100 * np.mean(np.asarray(labels) == i):.1f} %')
