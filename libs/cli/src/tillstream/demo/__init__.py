"""The demo: a year of a real grocery chain, told to the services as tills, a web shop and a call centre would tell it."""
