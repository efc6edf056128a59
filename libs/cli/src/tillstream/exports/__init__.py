"""A log as a file: written out whole or in part, checked without us, and put back."""
