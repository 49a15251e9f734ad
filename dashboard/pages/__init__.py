"""The pages: each a frozen dataclass, its loader, and its routes for HTML and JSON."""
