"""Who is asking, and what they may do: modes of signing in, visitors, forms."""
