"""The search language: SELECT, and what can be asked of results beside it.

    model:llama outcome:fail                   SELECT: alternatives of one key, keys all hold
    popular and not (model:bert or stage:resize)
    state:new assignee:ada owner:pytorch       what is said of its failure group
    stack:torch==2.13* revision:5.23.0         its run
    time>60 memory>1.5GiB delta>=1e-3 planned>1GiB attempts>1
    onnx:fail and dynamo:pass                  other backends of the same case
    is:regressed is:carried                    how a result stands (`STATES`)
    seq(pass !pass)                            in consecutive runs, oldest first

Words that stand side by side are one SELECT; `and` binds looser than that, `or` looser than `and`;
`not` takes the next word or parenthesis. What only results can answer is not asked of cells that
have none yet: such a word leaves out nothing, negated or not (Kleene's three values).
"""
