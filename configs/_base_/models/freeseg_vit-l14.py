# As freeseg_r101c.py, with the ViT-L/14 of CLIP, whose embeddings have 768 dimensions (table 6).
_base_ = './freeseg_r101c.py'
arch = 'ViT-L-14'
weights = 'openai'
ip_clip = dict(arch=arch, weights=weights)
model = dict(
    generator=dict(text=dict(text_dim=768), interaction=dict(text_dim=768)),
    classifier=dict(arch=arch, weights=weights),
    text=dict(arch=arch, weights=weights),
)
