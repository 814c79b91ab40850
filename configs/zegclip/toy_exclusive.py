# Table 5, DPT + RD: softmax cross-entropy over the seen classes in place of NEL.
_base_ = ['toy_inductive.py']
model = dict(
    decode_head=dict(
        scores='softmax', loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)
    )
)
