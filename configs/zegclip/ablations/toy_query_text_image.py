# Table 4: the class query is [t, g].
_base_ = ['../toy_inductive.py']
model = dict(decode_head=dict(query='t,g'))
