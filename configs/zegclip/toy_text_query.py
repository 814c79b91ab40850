# Table 5, DPT + NEL: the text alone is the query, no relationship descriptor.
_base_ = ['toy_inductive.py']
model = dict(decode_head=dict(query='t'))
