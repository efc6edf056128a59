"""The published language of Tillstream: what can happen in a chain of shops, in the words its people use. Pure, no IO."""
