pytest_plugins = ["till_platform.testing.plugin"]
