# The text embedding of a class is a mean over CLIP's 80 templates, in place of one.
_base_ = ['../toy_inductive.py']
model = dict(decode_head=dict(text=dict(templates='imagenet')))
