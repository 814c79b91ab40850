# The seen classes' scores as they are: nothing is subtracted at test.
_base_ = ['../toy_inductive.py']
model = dict(decode_head=dict(seen_offset=0.0))
