"""The shipped coroutines under simulation: one seed is one schedule of clients, faults and crashes on one bucket.

``python -m tests.simulation --help`` tells how to run schedules, and how to replay one.
"""
