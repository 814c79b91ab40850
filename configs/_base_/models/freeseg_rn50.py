# As freeseg_r101c.py, with the ResNet-50 of CLIP, whose embeddings have 1024 dimensions (table 6).
_base_ = './freeseg_r101c.py'
arch = 'RN50'
weights = 'openai'
ip_clip = dict(_delete_=True, type='mmseg_zsclip.IPCLIPResNet', arch=arch, weights=weights)
model = dict(
    generator=dict(text=dict(text_dim=1024), interaction=dict(text_dim=1024)),
    classifier=dict(arch=arch, weights=weights),
    text=dict(arch=arch, weights=weights),
)
