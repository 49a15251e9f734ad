"""The decisions: plan, select, classify, sign, fold, compare. Values in, values out."""
