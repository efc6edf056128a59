"""The contracts that others build on, made from the events themselves: JSON Schemas, the AsyncAPI document, and what may change in them."""
