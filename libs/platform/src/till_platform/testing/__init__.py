"""The test kit: sentences for the rules, real parts for the rest."""

from till_platform.testing.sentences import Given, Happened, Outcome, given, happened

__all__ = ["Given", "Happened", "Outcome", "given", "happened"]
