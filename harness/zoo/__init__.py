"""The zoo: cases made from model classes. See `harness.zoo.base` for what a zoo is."""
