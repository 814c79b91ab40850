# Table 4: the class query is [t*g, |t-g|, t].
_base_ = ['../toy_inductive.py']
model = dict(decode_head=dict(query='t*g,|t-g|,t'))
