"""What reaches the outside: asked for in the transaction of a batch, done by a sender, once."""
