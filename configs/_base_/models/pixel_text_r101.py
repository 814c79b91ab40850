# As pixel_text_r50.py, with CLIP's ResNet-101 and the text tower beside it.
_base_ = './pixel_text_r50.py'
arch = 'RN101'
weights = 'openai'
model = dict(
    backbone=dict(arch=arch, weights=weights),
    decode_head=dict(text=dict(arch=arch, weights=weights)),
)
